/**
 * Brings a pinned Node binary into the cache: downloaded once through npm, checked against its integrity, then made fit
 * for our executables (symbols stripped where a `strip` for its machine exists, libatomic absorbed). Repeatable and safe
 * to run twice at once: each step writes to a place of its own and renames.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { list } from 'tar';
import { StorkError } from '../../kube/errors.ts';
import { cacheFolder } from '../cache-folder.ts';
import { runCommand, runNpm } from '../run-command.ts';
import { absorbLibatomic } from './absorb-libatomic.ts';
import type { Runtime } from './targets.ts';

/** Raised when preparing changes, so that caches made before are not used. */
const preparation = 2;

const stripProgram: Readonly<Record<string, string>> = {
  'linux-x64': 'strip',
  'linux-arm64': 'aarch64-linux-gnu-strip',
};

export interface PreparedRuntime {
  readonly path: string;
  /** Changes when the binary would differ; part of what an executable is keyed by. */
  readonly key: string;
}

/** @throws RuntimeUnavailable when npm can't have it, RuntimeTampered when its bytes are not those pinned */
export async function fetchRuntime(runtime: Runtime): Promise<PreparedRuntime> {
  const strip = stripProgram[`${runtime.os}-${runtime.arch}`];
  const stripped = strip !== undefined && isOnPath(strip);
  const key = `${runtime.package}-${runtime.version}-${stripped ? 'stripped' : 'plain'}-p${preparation}`;
  const path = cacheFolder('runtimes', key, runtime.os === 'windows' ? 'node.exe' : 'node');
  if (existsSync(path)) return { path, key };
  await mkdir(cacheFolder('runtimes', key), { recursive: true });
  const work = await mkdtemp(cacheFolder('runtimes', 'preparing-'));
  try {
    const binary = await downloadBinary(runtime, work);
    const file = join(work, 'node');
    await writeFile(file, binary, { mode: 0o755 });
    if (stripped) await runCommand(strip, ['--strip-all', file]);
    if (runtime.os === 'linux') await writeFile(file, absorbLibatomic(await readFile(file)));
    await chmod(file, 0o755);
    await rename(file, path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return { path, key };
}

/** True for tarballs whose digest is the one of an `sha512-…` integrity string. */
export function matchesIntegrity(tarball: Uint8Array, integrity: string): boolean {
  return `sha512-${createHash('sha512').update(tarball).digest('base64')}` === integrity;
}

async function downloadBinary(runtime: Runtime, work: string): Promise<Buffer> {
  const spec = `${runtime.package}@${runtime.version}`;
  await runNpm(['pack', spec, '--silent', '--pack-destination', work], work).catch((cause) => {
    throw new StorkError({
      code: 'RuntimeUnavailable',
      message: `npm can't bring ${spec}, the Node runtime for ${runtime.os} ${runtime.arch}.`,
      hint: 'Check the connection to the npm registry, or leave these targets out with --only.',
      retryable: true,
      cause,
    });
  });
  const tarball = await readFile(join(work, `${runtime.package}-${runtime.version}.tgz`));
  if (!matchesIntegrity(tarball, runtime.integrity)) {
    throw new StorkError({
      code: 'RuntimeTampered',
      message: `${spec} as npm delivered it does not have the integrity pinned in scripts/node-targets.json.`,
      hint: 'Do not use it. If the pin is wrong, correct it from a source you trust.',
    });
  }
  return await extract(join(work, `${runtime.package}-${runtime.version}.tgz`), runtime.file);
}

async function extract(tarball: string, path: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  await list({
    file: tarball,
    onReadEntry: (entry) => {
      if (entry.path === path) entry.on('data', (part: Buffer) => void parts.push(part));
      else entry.resume();
    },
  });
  if (parts.length === 0)
    throw new StorkError({ code: 'RuntimeTampered', message: `There is no ${path} in ${tarball}.` });
  return Buffer.concat(parts);
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}
