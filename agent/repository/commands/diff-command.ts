/** `stork-agent diff`: what changed between two restore points. */
import { once } from 'node:events';
import type { Ambient } from '../../../kube/ambient.ts';
import { type Difference, diffTrees } from '../diff/diff-trees.ts';
import { findSnapshot, splitSnapshotPath } from '../find-snapshot.ts';
import type { StoredSnapshot } from '../repository.ts';
import { type SnapshotTrees, snapshotTrees } from '../restore/snapshot-trees.ts';
import { asOfOptions, asOfUsage } from './as-of-argument.ts';
import { type CareRun, commonUsage, runCareCommand, wrongArgument } from './care-arguments.ts';
import { toBytes, toText } from './path-text.ts';
import { printable } from './printable.ts';
import { renderBytes } from './progress-line.ts';
import { readableSnapshots, warnOfDamage } from './readable-snapshots.ts';

const usage = `Usage: stork-agent diff --repo PLACE --password-file FILE [options] ID[:PATH] ID[:PATH]

Lists what the second restore point has otherwise than the first: + added, - removed, M content, T another kind of file.
With --json a document a line, the counts last.

${commonUsage}      --metadata              also U: only owner, mode, times or attributes
${asOfUsage}`;

export const runDiffCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand(
    'diff',
    { usage, options: { metadata: { type: 'boolean' }, ...asOfOptions }, words: 'Taken', run },
    argv,
    ambient,
  );

const letters: Readonly<Record<Difference['change'], string>> = {
  added: '+',
  removed: '-',
  content: 'M',
  type: 'T',
  metadata: 'U',
};

async function run(care: CareRun): Promise<number> {
  const { context, options: given, words, ambient } = care;
  const [first, second] = words;
  if (first === undefined || second === undefined || words.length > 2) throw wrongArgument('Say which two', 'ID ID');
  const { repository, signal } = context;
  const { snapshots } = await readableSnapshots(care);
  const trees = snapshotTrees(repository, await repository.loadIndex(signal, undefined, warnOfDamage(care)), signal);
  const before = await treeOf(snapshots, first, trees);
  const after = await treeOf(snapshots, second, trees);
  const counts = { added: 0, removed: 0, content: 0, type: 0, metadata: 0 };
  let [bytesAdded, bytesRemoved] = [0, 0];
  const write = async (text: string) => {
    if (!ambient.stdout.write(`${text}\n`)) await once(ambient.stdout, 'drain');
  };
  for await (const one of diffTrees(trees, before, after)) {
    signal?.throwIfAborted();
    counts[one.change]++;
    if (one.sizeAfter > one.sizeBefore) bytesAdded += one.sizeAfter - one.sizeBefore;
    else bytesRemoved += one.sizeBefore - one.sizeAfter;
    if (one.change === 'metadata' && given.metadata !== true) continue;
    const path = toText(one.path);
    await write(
      given.json === true
        ? JSON.stringify({ ...one, path })
        : `${letters[one.change]} ${printable(path)}${one.isDirectory ? '/' : ''}`,
    );
  }
  const { added, removed, content, type, metadata } = counts;
  await write(
    given.json === true
      ? JSON.stringify({ ...counts, bytesAdded, bytesRemoved })
      : `${added} added, ${removed} removed, ${content} changed, ${type} of another kind, ${metadata} with other metadata; ` +
          `files grew by ${renderBytes(bytesAdded)} and shrank by ${renderBytes(bytesRemoved)}`,
  );
  return 0;
}

async function treeOf(snapshots: readonly StoredSnapshot[], word: string, trees: SnapshotTrees): Promise<string> {
  const { snapshot, path } = splitSnapshotPath(word);
  const { tree } = findSnapshot(snapshots, snapshot);
  return (await trees.find(tree, toBytes(path)))?.subtree ?? tree;
}
