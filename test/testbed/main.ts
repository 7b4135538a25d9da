/**
 * `npm run testbed -- COMMAND`, for people and scripts; tests import the
 * functions behind it instead.
 */
import { parseArgs } from 'node:util';
import { ensureImage, parseImageName } from '../images/images.ts';
import { startApiServer } from './apiserver.ts';
import { bringDown, bringUp, loadImage } from './bed.ts';
import { allBinaries, ensureBinaries, type OlderMinor, olderVersions, storeBinaries } from './binaries.ts';
import { cutLink, describeLink, type LinkShape, restoreLink, shapeLink } from './link.ts';
import { findPlaces, kubeconfigPlace } from './places.ts';
import { parseClusterName } from './plan.ts';
import { describeBed } from './status.ts';

const usage = `usage: npm run testbed -- COMMAND

  up [--audit]              starts clusters a and b; returns at once when they run
     [--b-version 1.34]     b with an older Kubernetes; built the first time
  down                      stops them and removes every trace
  status                    what runs
  kubeconfig [a|b]          path of the kubeconfig with contexts a and b, or of one cluster's
  link [cut|restore|shape]  cut [--reject]; shape --mbit N --loss 0..1; without a word: its state and the bytes that crossed
  load-image FILE|NAME…     imports image archives into all nodes; NAME is one of test/images
  apiserver [--dir DIR]     one etcd and kube-apiserver without nodes: prints its kubeconfig, runs until interrupted
  binaries                  builds what the test bed needs into the cache
`;

const report = (line: string) => process.stderr.write(`${line}\n`);

const commands: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  up: async (args) => {
    const options = { audit: { type: 'boolean' }, 'b-version': { type: 'string' } } as const;
    const { values } = parseArgs({ args: [...args], options });
    const minorOfB = parseMinor(values['b-version']);
    await bringUp({ report, audit: values.audit === true ? 'On' : 'Off', minorOfB });
  },
  down: () => bringDown(report),
  status: async () => {
    printLines(await describeBed(findPlaces()));
  },
  kubeconfig: async ([name]) => {
    const cluster = name === undefined ? undefined : parseClusterName(name);
    if (name !== undefined && cluster === undefined) throw new Error(`there is no cluster ${name}: a or b`);
    process.stdout.write(`${kubeconfigPlace(findPlaces(), cluster)}\n`);
  },
  link: async (args) => {
    const options = { reject: { type: 'boolean' }, mbit: { type: 'string' }, loss: { type: 'string' } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const verb = positionals[0];
    if (verb === 'cut') await cutLink(values.reject === true ? 'Reject' : 'Drop');
    else if (verb === 'restore') await restoreLink();
    else if (verb === 'shape') await shapeLink(parseShape(values));
    else if (verb !== undefined) throw new Error(`link ${verb}: cut, restore or shape`);
    printLines(await describeLink());
  },
  'load-image': async (args) => {
    for (const arg of args) {
      const name = parseImageName(arg);
      await loadImage(name === undefined ? arg : await ensureImage(name, report));
    }
  },
  apiserver: async (args) => {
    const { values } = parseArgs({ args: [...args], options: { dir: { type: 'string' } } });
    await using server = await startApiServer({ report, ...(values.dir === undefined ? {} : { dir: values.dir }) });
    process.stdout.write(`${server.kubeconfigPath}\n`);
    await untilInterrupted();
  },
  binaries: async () => {
    const names = [...allBinaries, ...storeBinaries];
    const binaries = await ensureBinaries(names, report);
    printLines(names.map((name) => binaries.path(name)));
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

function parseShape({ mbit, loss }: { mbit?: string | undefined; loss?: string | undefined }): LinkShape {
  return {
    ...(mbit === undefined ? {} : { bitsPerSecond: Number(mbit) * 1_000_000 }),
    ...(loss === undefined ? {} : { loss: Number(loss) }),
  };
}

function parseMinor(text: string | undefined): OlderMinor | undefined {
  if (text === undefined) return undefined;
  const isKnown = (minor: string): minor is OlderMinor => minor in olderVersions;
  if (isKnown(text)) return text;
  throw new Error(`--b-version ${text}: there is ${Object.keys(olderVersions).join(', ')}`);
}

function printLines(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
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
