/** What `browse` and `dump` look at: `latest|ID[:PATH] [PATH]`. */
import { findSnapshot, splitSnapshotPath } from '../find-snapshot.ts';
import { snapshotTrees } from '../restore/snapshot-trees.ts';
import { type CareRun, wrongArgument } from './care-arguments.ts';
import { readableSnapshots, warnOfDamage } from './readable-snapshots.ts';
import { filterOf } from './snapshot-arguments.ts';

export async function openRestorePoint(care: CareRun) {
  const { context, options: given, words } = care;
  const [word, ...more] = words;
  if (word === undefined || more.length > 1) throw wrongArgument('Say which restore point and at most one path', 'ID');
  const { repository, signal } = context;
  const { snapshot: wanted, path: below } = splitSnapshotPath(word);
  const { snapshots, damaged } = await readableSnapshots(care);
  const snapshot = findSnapshot(snapshots, wanted, filterOf(given));
  const locations = await repository.loadIndex(signal, undefined, warnOfDamage(care));
  const trees = snapshotTrees(repository, locations, signal);
  // As stock restic: a path beside `ID:PATH` lies below it.
  return { ...{ snapshot, wanted, damaged, locations, trees, below }, path: [below, ...more].filter(isSaid).join('/') };
}

const isSaid = (path: string): boolean => path !== '';
