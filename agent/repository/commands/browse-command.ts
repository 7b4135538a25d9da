/** `stork-agent browse`: what a restore point has at a path. `stork-agent dump`: one of its files, to standard output. */
import { once } from 'node:events';
import type { Ambient } from '../../../kube/ambient.ts';
import { dumpDevice } from '../devices/dump-device.ts';
import { isDevice, openStoredDevice } from '../devices/stored-device.ts';
import { findSnapshot, splitSnapshotPath } from '../find-snapshot.ts';
import { formatTime } from '../format/go-time.ts';
import type { TreeNode } from '../format/tree.ts';
import { failRepository } from '../repository-error.ts';
import { dumpFile } from '../restore/dump.ts';
import { type SnapshotTrees, snapshotTrees } from '../restore/snapshot-trees.ts';
import { toBytes, toText } from './backup-command.ts';
import { type CareRun, commonUsage, runCareCommand, wrongArgument } from './care-arguments.ts';
import { printable } from './printable.ts';
import { readableSnapshots, warnOfDamage } from './readable-snapshots.ts';
import { filterOf, filterOptions, filterUsage } from './snapshot-arguments.ts';

const browseUsage = `Usage: stork-agent browse --repo PLACE --password-file FILE [options] latest|ID [PATH]

Lists what a restore point has at a path: mode, owner, size, time and name of each. With --json a document a line.

${commonUsage}  -R, --recursive             with everything below
${filterUsage}`;

const dumpUsage = `Usage: stork-agent dump --repo PLACE --password-file FILE [options] latest|ID PATH

Writes one file of a restore point, or the whole image of a raw device, to standard output, proven byte for byte.

${commonUsage}${filterUsage}`;

export const runBrowseCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('browse', { usage: browseUsage, options: browseOptions, words: 'Taken', run: browse }, argv, ambient);

export const runDumpCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('dump', { usage: dumpUsage, options: filterOptions, words: 'Taken', run: dump }, argv, ambient);

const browseOptions = { recursive: { type: 'boolean', short: 'R' }, ...filterOptions } as const;

async function open(care: CareRun) {
  const { context, options: given, words } = care;
  const [word, ...more] = words;
  if (word === undefined || more.length > 1) throw wrongArgument('Say which restore point and at most one path', 'ID');
  const { repository, signal } = context;
  const wanted = splitSnapshotPath(word);
  const snapshot = findSnapshot((await readableSnapshots(care)).snapshots, wanted.snapshot, filterOf(given));
  const locations = await repository.loadIndex(signal, undefined, warnOfDamage(care));
  return { snapshot, locations, trees: snapshotTrees(repository, locations, signal), path: more[0] ?? wanted.path };
}

async function browse(run: CareRun): Promise<number> {
  const { snapshot, trees, path } = await open(run);
  const bytes = toBytes(path).replace(/\/+$/, '');
  const at = await trees.find(snapshot.tree, bytes);
  const { stdout } = run.ambient;
  const isJson = run.options.json === true;
  const show = async (inside: string, node: TreeNode) => {
    const text = isJson ? JSON.stringify(jsonOf(inside, node)) : render(inside, node);
    if (!stdout.write(`${text}\n`)) await once(stdout, 'drain');
  };
  if (at !== undefined && at.subtree === undefined) await show(bytes, at);
  else
    for await (const [inside, node] of below(
      trees,
      at?.subtree ?? snapshot.tree,
      bytes,
      run.options.recursive === true,
    )) {
      run.ambient.signal.throwIfAborted();
      await show(inside, node);
    }
  return 0;
}

async function* below(
  trees: SnapshotTrees,
  tree: string,
  path: string,
  recursive: boolean,
): AsyncGenerator<readonly [string, TreeNode]> {
  for (const node of await trees.nodes(tree)) {
    const inside = `${path}/${node.name}`;
    yield [inside, node];
    if (recursive && node.subtree !== undefined) yield* below(trees, node.subtree, inside, recursive);
  }
}

const jsonOf = (path: string, { type, mode, uid, gid, size, mtimeNs, links, linkTarget }: TreeNode) => ({
  path: toText(path),
  type,
  mode,
  uid,
  gid,
  size,
  mtime: formatTime(mtimeNs),
  links,
  ...(type === 'symlink' ? { linkTarget: toText(linkTarget) } : {}),
});

const typeLetters: Readonly<Record<TreeNode['type'], string>> = {
  dir: 'd',
  file: '-',
  symlink: 'l',
  fifo: 'p',
  socket: 's',
  dev: 'b',
  chardev: 'c',
  irregular: '?',
};

function render(path: string, { type, mode, uid, gid, size, mtimeNs, linkTarget }: TreeNode): string {
  const time = formatTime(mtimeNs).slice(0, 19).replace('T', ' ');
  const target = type === 'symlink' ? ` -> ${toText(linkTarget)}` : '';
  return `${typeLetters[type]}${mode.toString(8).padStart(4, '0')} ${uid}:${gid} ${String(size).padStart(12)} ${time} ${printable(toText(path))}${printable(target)}`;
}

async function dump(run: CareRun): Promise<number> {
  const { snapshot, trees, locations, path } = await open(run);
  if (path === '') throw wrongArgument('Say which file', 'PATH');
  const node = await trees.find(snapshot.tree, toBytes(path));
  const { stdout, signal } = run.ambient;
  const tools = { repository: run.context.repository, locations, trees, signal };
  const isRaw = node?.subtree !== undefined && (await isDevice(trees, node.subtree));
  if (!isRaw && node?.type !== 'file') failRepository('PathMissing', 'That is no file of the restore point', path);
  const content = isRaw
    ? dumpDevice(await openStoredDevice(tools, snapshot.tree, toBytes(path)), tools)
    : dumpFile(tools.repository, locations, node, signal);
  for await (const bytes of content) if (!stdout.write(bytes)) await once(stdout, 'drain', { signal });
  return 0;
}
