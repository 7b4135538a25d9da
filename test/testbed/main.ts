/**
 * `npm run testbed -- COMMAND`, for people and scripts; tests import the
 * functions behind it instead.
 */
import { parseArgs } from 'node:util';
import { startApiServer } from './apiserver.ts';
import { allBinaries, ensureBinaries } from './binaries.ts';

const usage = `usage: npm run testbed -- COMMAND

  apiserver [--dir DIR]     one etcd and kube-apiserver without nodes: prints its kubeconfig, runs until interrupted
  binaries                  builds what the test bed needs into the cache
`;

const report = (line: string) => process.stderr.write(`${line}\n`);

const commands: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  apiserver: async (args) => {
    const { values } = parseArgs({ args: [...args], options: { dir: { type: 'string' } } });
    await using server = await startApiServer({ report, ...(values.dir === undefined ? {} : { dir: values.dir }) });
    process.stdout.write(`${server.kubeconfigPath}\n`);
    await untilInterrupted();
  },
  binaries: async () => {
    const binaries = await ensureBinaries(allBinaries, report);
    for (const name of allBinaries) process.stdout.write(`${binaries.path(name)}\n`);
  },
};

async function main(): Promise<number> {
  const [name = '', ...args] = process.argv.slice(2);
  const command = commands[name];
  if (command === undefined) {
    process.stderr.write(usage);
    return 64;
  }
  await command(args);
  return 0;
}

function untilInterrupted(): Promise<void> {
  const keepAlive = setInterval(() => {}, 60_000);
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        clearInterval(keepAlive);
        resolve();
      });
    }
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
