/**
 * `npm run build [-- --only NAME,NAME…] [--with-pkg]`: makes what users get, in dist/. Names: those of the executables in
 * node-targets.json (`agent-linux-x64`, `plugin-darwin-arm64`, …) and `image`; on request also `image-multiarch` (x64 and
 * arm64 in one) and `pkg`. What did not change is not built again. dist/bin is for PATH: it has this machine's plugin.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderError, StorkError } from '../kube/errors.ts';
import manifest from '../package.json' with { type: 'json' };
import { writeAgentImage } from './build/agent-image.ts';
import { ensureArtifact } from './build/artifact-cache.ts';
import { type Bundle, bundleProgram } from './build/bundle.ts';
import { fetchRuntime } from './build/fetch-runtime.ts';
import { ensureForeignRoot } from './build/foreign-root.ts';
import { linkPlugin } from './build/link-plugin.ts';
import { makeExecutable, makeExecutableWithPkg } from './build/make-executable.ts';
import type { Arch } from './build/root-file-system.ts';
import { type ExecutableTarget, executables, getExecutable } from './build/targets.ts';

const root = join(import.meta.dirname, '..');
const dist = (file: string): string => join(root, 'dist', file);

/** Each executable takes about 400 MB of memory while it is made. */
const buildsAtOnce = Math.min(2, availableParallelism());

type Outcome = 'made' | 'found';

/** What `--only` takes; those of `extra` are built only when named. */
const names = {
  executables: executables.map((target) => target.name),
  images: ['image'],
  extra: ['image-multiarch', 'pkg'],
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, 'with-pkg': { type: 'boolean', default: false } },
  });
  assertBuildHost();
  const wanted = decideWanted(values.only, values['with-pkg']);
  const tools = digestOfTools();
  const bundles = new Map<string, Promise<Bundle>>();
  const bundleOf = ({ program, runtime }: ExecutableTarget) => {
    const key = `${program}-${runtime.major}`;
    const bundle = bundles.get(key) ?? bundleProgram(program, runtime.major);
    bundles.set(key, bundle);
    return bundle;
  };
  const targets = executables.filter((target) => wanted.has(target.name));
  await inParallel(targets, (target) =>
    timed(target.file, async () => buildExecutable(target, await bundleOf(target), tools)),
  );
  const plugin = getExecutable('plugin-linux-x64');
  if (wanted.has(plugin.name)) await linkPlugin(dist(plugin.file), dist('bin'));
  if (wanted.has('image'))
    await timed('stork-agent-image.tar', () => buildImage('stork-agent-image.tar', ['x64'], tools));
  if (wanted.has('image-multiarch')) {
    const file = 'stork-agent-image-multiarch.tar';
    await timed(file, () => buildImage(file, ['x64', 'arm64'], tools));
  }
  if (wanted.has('pkg')) {
    const file = `${plugin.file}-pkg`;
    await timed(file, async () => buildWithPkg(plugin, await bundleOf(plugin), { file, tools }));
  }
}

function decideWanted(only: string | undefined, withPkg: boolean): ReadonlySet<string> {
  const usual = [...names.executables, ...names.images];
  const known = new Set([...usual, ...names.extra]);
  const chosen = only === undefined ? usual : only.split(',').map((name) => name.trim());
  const unknown = chosen.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new StorkError({
      code: 'UnknownTarget',
      message: `There is no ${unknown.join(', ')} to build.`,
      hint: `Known: ${[...known].join(', ')}.`,
    });
  }
  return new Set(withPkg ? [...chosen, 'pkg'] : chosen);
}

async function buildExecutable(target: ExecutableTarget, bundle: Bundle, tools: string): Promise<Outcome> {
  const runtime = await fetchRuntime(target.runtime);
  const key = digest([bundle.digest, runtime.key, tools]);
  return await ensureArtifact({ name: target.file, key, destination: dist(target.file) }, (path) =>
    makeExecutable(target, bundle, path),
  );
}

async function buildWithPkg(
  target: ExecutableTarget,
  bundle: Bundle,
  { file, tools }: { readonly file: string; readonly tools: string },
): Promise<Outcome> {
  const key = digest(['pkg', bundle.digest, (await fetchRuntime(target.runtime)).key, tools]);
  return await ensureArtifact({ name: file, key, destination: dist(file) }, (path) =>
    makeExecutableWithPkg(target, bundle, path),
  );
}

/** Of the executables that are in dist/. */
async function buildImage(file: string, architectures: readonly Arch[], tools: string): Promise<Outcome> {
  const agents = await Promise.all(
    architectures.map(async (arch) => ({
      arch,
      executable: assertBuilt(getExecutable(`agent-linux-${arch}`)),
      root: arch === 'x64' ? '/' : await ensureForeignRoot(arch),
    })),
  );
  const key = digest([...agents.map(({ executable }) => readFileSync(executable)), tools, manifest.version]);
  return await ensureArtifact({ name: file, key, destination: dist(file) }, (path) =>
    writeAgentImage(path, manifest.version, agents),
  );
}

function assertBuilt(target: ExecutableTarget): string {
  if (existsSync(dist(target.file))) return dist(target.file);
  throw new StorkError({
    code: 'ExecutableMissing',
    message: `The image needs dist/${target.file}, which is not built.`,
    hint: `Add ${target.name} to --only.`,
  });
}

/** What makes artifacts is an input of theirs too. */
function digestOfTools(): string {
  const files = [
    ...globSync('scripts/build/*.{ts,cjs}', { cwd: root }),
    'scripts/build.ts',
    'scripts/node-targets.json',
    'package-lock.json',
  ];
  return digest(
    files
      .toSorted()
      .filter((file) => !file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(root, file))),
  );
}

function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 32);
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const lane = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: buildsAtOnce }, lane));
}

async function timed(file: string, run: () => Promise<Outcome>): Promise<void> {
  const startedMs = performance.now();
  const outcome = await run();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${outcome === 'made' ? 'built    ' : 'unchanged'} dist/${file} (${seconds} s)`);
}

function assertBuildHost(): void {
  if (process.platform === 'linux' && process.arch === 'x64') return;
  throw new StorkError({
    code: 'BuildHostUnsupported',
    message: `Executables are built on linux x64; this is ${process.platform} ${process.arch}.`,
    hint: 'Build in a linux x64 container or machine; the tests need no build.',
  });
}

main().catch((error: unknown) => {
  console.error(`build: ${renderError(error)}`);
  process.exitCode = 1;
});
