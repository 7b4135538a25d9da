/** `stork-agent restore`: brings a restore point back. */
import { resolve } from 'node:path';
import type { Ambient } from '../../../kube/ambient.ts';
import { findSnapshot, splitSnapshotPath } from '../find-snapshot.ts';
import type { StoredSnapshot } from '../repository.ts';
import { type RestoreResult, restore } from '../restore/restore.ts';
import { restoreThreads } from '../restore/restore-threads.ts';
import { pathFilter } from '../select-paths.ts';
import { threadsOf } from './backup-command.ts';
import {
  type CareRun,
  commonUsage,
  incompleteExitCode,
  localLimitOptions,
  localLimitsOf,
  runCareCommand,
  textsOf,
  wrongArgument,
} from './care-arguments.ts';
import { bringRawDevice } from './device-command.ts';
import { inWords } from './errno-words.ts';
import { toBytes, toText } from './path-text.ts';
import { progressLine, renderBytes } from './progress-line.ts';
import { readableSnapshots, refuseUnknownLatest } from './readable-snapshots.ts';
import { readingLock } from './reading-lock.ts';
import { filterOf, filterOptions, filterUsage } from './snapshot-arguments.ts';

const usage = `Usage: stork-agent restore --repo PLACE --password-file FILE --target DIR [options] latest|ID[:PATH]

       stork-agent restore --repo PLACE --password-file FILE --to-device DEVICE [options] latest|ID[:PATH]

Restores below DIR, or with :PATH that directory's content into DIR itself. Files that are there already get only the bytes that differ.

${commonUsage}      --target DIR            where to; --target / restores in place
      --to-device DEVICE      a raw device that was saved, to a block device that nobody uses and that is large enough, or to an image
                              file; only blocks that differ are written
      --include PATTERN       only this: /a/path, or a name or end of a path anywhere; * and ?; may be repeated
      --exclude PATTERN       all but this
      --delete                removes what is there and was not in the restore point, within the paths that were saved
      --verify                reads everything back from the storage and compares
      --keep-going            restores everything else when something is lost, and names what is
${filterUsage}      --limit-local KIB       KiB a second written, and read to compare, at most, by all threads together;  --limit-iops N  operations a second,
                              one for up to 256 KiB that lie together
      --threads N             (default: up to 4)
      --no-lock               takes no lock, for a repository that can't be written to

Exit code: 0 all is restored, 3 not all (each is named), 1 failed, 2 wrong arguments, 10 no repository, 11 it is locked,
12 wrong password.
`;

export const runRestoreCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('restore', { usage, options, words: 'Taken', purpose: 'Restore', run }, argv, ambient);

const options = {
  target: { type: 'string', short: 't' },
  'to-device': { type: 'string' },
  include: { type: 'string', multiple: true },
  exclude: { type: 'string', multiple: true },
  delete: { type: 'boolean' },
  verify: { type: 'boolean' },
  'keep-going': { type: 'boolean' },
  threads: { type: 'string' },
  'no-lock': { type: 'boolean' },
  ...filterOptions,
  ...localLimitOptions,
} as const;

async function run(care: CareRun): Promise<number> {
  const { context, options: given, words, ambient, answer, warn } = care;
  const [word] = words;
  if (word === undefined || words.length > 1) throw wrongArgument('Say which restore point: latest, or one id', 'ID');
  if (given['to-device'] !== undefined) return await runDevice(care, word);
  if (typeof given.target !== 'string') throw wrongArgument('Say where to restore to', '--target');
  const { repository } = context;
  const wanted = splitSnapshotPath(word);
  const isLocking = given['no-lock'] !== true && given['as-of'] === undefined;
  const writing = { threads: threadsOf(given), limits: localLimitsOf(given) };
  // They take as long to start as all that comes before their first job.
  await using threads = restoreThreads(repository.key, writing);
  await using _lock = await readingLock(context, isLocking);
  const { snapshots, damaged } = await readableSnapshots(care);
  if (given['keep-going'] !== true) refuseUnknownLatest(wanted.snapshot, damaged, newestReadable);
  const snapshot = findSnapshot(snapshots, wanted.snapshot, filterOf(given));
  const line = progressLine(ambient.stderr, ambient.clock);
  const isOfAll = wanted.path === '' && textsOf(given.include).length === 0;
  const result = await restore({
    repository,
    snapshot,
    from: toBytes(wanted.path),
    target: toBytes(resolve(given.target)),
    filter: pathFilter(textsOf(given.include).map(toBytes), textsOf(given.exclude).map(toBytes)),
    others: given.delete === true ? 'remove' : 'keep',
    verify: given.verify === true,
    problems: given['keep-going'] === true ? 'name' : 'fail',
    ...writing,
    started: threads,
    signal: ambient.signal,
    onProgress: ({ phase, files, bytes }) =>
      line.show({ what: phase, files, bytes, totalBytes: isOfAll ? (snapshot.summary?.bytes ?? 0) : 0 }),
  }).finally(line.end);
  for (const { path, kind, message } of result.problems) warn(`${toText(path)}: ${kind}: ${inWords(message)}`);
  if (result.problemCount > result.problems.length) warn(`and ${result.problemCount - result.problems.length} more`);
  for (const [kind, count] of Object.entries(result.degraded)) warn(`${kind} could not be set for ${count}`);
  const isNothing = textsOf(given.include).length > 0 && result.files + result.directories + result.problemCount === 0;
  if (isNothing) warn('nothing in the restore point is what --include says; `stork-agent browse` lists what it has');
  answer(jsonOf(result, snapshot.id), render(result, snapshot.id));
  const isWhole = result.problemCount === 0 && Object.keys(result.degraded).length === 0 && !isNothing;
  return isWhole ? 0 : incompleteExitCode;
}

async function runDevice(care: CareRun, word: string): Promise<number> {
  const { context, options: given } = care;
  for (const other of ['target', 'include', 'exclude', 'delete'])
    if (given[other] !== undefined) throw wrongArgument('A raw device is restored whole, to one place', `--${other}`);
  const { repository } = context;
  const wanted = splitSnapshotPath(word);
  await using _lock = await readingLock(context, given['no-lock'] !== true);
  const { snapshots, damaged } = await readableSnapshots(care);
  if (given['keep-going'] !== true) refuseUnknownLatest(wanted.snapshot, damaged, newestReadable);
  const snapshot = findSnapshot(snapshots, wanted.snapshot, filterOf(given));
  return await bringRawDevice(care, {
    repository,
    snapshot,
    from: toBytes(wanted.path || onlyPathOf(snapshot)),
    target: toBytes(resolve(String(given['to-device']))),
    verify: given.verify === true,
    problems: given['keep-going'] === true ? 'name' : 'fail',
    threads: threadsOf(given),
    limits: localLimitsOf(given),
    signal: care.ambient.signal,
  });
}

/** A raw device is a restore point of its own. */
function onlyPathOf({ id, paths }: StoredSnapshot): string {
  const [path] = paths;
  if (path === undefined || paths.length > 1)
    throw wrongArgument('Say which device of the restore point, as ID:PATH', id);
  return path;
}

const jsonOf = (result: RestoreResult, snapshot: string) => ({
  snapshot,
  ...result,
  problems: result.problems.map((problem) => ({ ...problem, path: toText(problem.path) })),
});

function render(result: RestoreResult, snapshot: string): string[] {
  const { files, directories, bytes, bytesWritten, removed, verified, problemCount } = result;
  return [
    `restored ${snapshot.slice(0, 8)}: ${files} files (${renderBytes(bytes)}, ${renderBytes(bytesWritten)} written), ${directories} directories` +
      (removed === 0 ? '' : `, ${removed} removed`),
    ...(problemCount > 0 ? [`${problemCount} are not as they were saved`] : []),
    ...(verified && problemCount === 0 ? ['read back and compared: equal'] : []),
  ];
}

const newestReadable = ', or take the newest that can be read with --keep-going';
