/** Azurite, Microsoft's own emulator of Azure Blob, on loopback; installed into the cache from the lockfile beside. In memory. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withLock } from '../testbed/lock.ts';
import { findPlaces } from '../testbed/places.ts';
import { runCommand } from '../testbed/run-command.ts';
import { freePort, startServer } from './loopback.ts';

export interface AzureServer extends AsyncDisposable {
  /** With the account in its path. */
  readonly endpoint: string;
  readonly credentials: { readonly account: string; readonly key: string };
}

/** Of the emulator: published, the same for everybody. */
const account = 'devstoreaccount1';
const key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export async function startAzurite(): Promise<AzureServer> {
  const program = join(await ensureAzurite(), 'node_modules/azurite/dist/src/blob/main.js');
  const root = await mkdtemp(join(tmpdir(), 'stork-azure-'));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const flags = ['--inMemoryPersistence', '--skipApiVersionCheck', '--disableTelemetry', '--silent'];
  const stop = await startServer({
    program: process.execPath,
    args: [program, '--blobHost', '127.0.0.1', '--blobPort', `${port}`, ...flags],
    ...{ address, folder: root },
    options: { cwd: root, env: { PATH: process.env.PATH }, stdio: ['ignore', 'ignore', 'inherit'] },
  });
  return {
    ...{ endpoint: `http://${address}/${account}`, credentials: { account, key } },
    [Symbol.asyncDispose]: stop,
  };
}

async function ensureAzurite(): Promise<string> {
  const files = ['package.json', 'package-lock.json'].map((name) => join(import.meta.dirname, 'azurite', name));
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file));
  const folder = join(findPlaces().cache, `azurite-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  await mkdir(findPlaces().cache, { recursive: true });
  await withLock(
    `${folder}.lock`,
    () => {},
    async () => {
      if (existsSync(folder)) return;
      await rm(`${folder}.new`, { recursive: true, force: true });
      await cp(join(import.meta.dirname, 'azurite'), `${folder}.new`, { recursive: true });
      const install = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
      await runCommand('npm', install, { cwd: `${folder}.new`, timeoutMs: 900_000 });
      await rename(`${folder}.new`, folder);
    },
  );
  return folder;
}
