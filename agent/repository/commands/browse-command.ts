/** `stork-agent browse`: what a restore point has at a path. */
import { once } from 'node:events';
import type { Ambient } from '../../../kube/ambient.ts';
import { formatTime } from '../format/go-time.ts';
import type { TreeNode } from '../format/tree.ts';
import type { SnapshotTrees } from '../restore/snapshot-trees.ts';
import { type CareRun, commonUsage, runCareCommand } from './care-arguments.ts';
import { openRestorePoint } from './open-restore-point.ts';
import { toBytes, toText } from './path-text.ts';
import { printable } from './printable.ts';
import { filterOptions, filterUsage } from './snapshot-arguments.ts';

const browseUsage = `Usage: stork-agent browse --repo PLACE --password-file FILE [options] latest|ID [PATH]

Lists what a restore point has at a path: mode, owner, size, time and name of each. With --json a document a line.

${commonUsage}  -R, --recursive             with everything below
${filterUsage}`;

export const runBrowseCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('browse', { usage: browseUsage, options: browseOptions, words: 'Taken', run: browse }, argv, ambient);

const browseOptions = { recursive: { type: 'boolean', short: 'R' }, ...filterOptions } as const;

async function browse(run: CareRun): Promise<number> {
  const { snapshot, trees, path } = await openRestorePoint(run);
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
