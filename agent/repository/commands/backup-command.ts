/** `stork-agent backup`: saves directories and files into a repository. */
import { lstatSync, realpathSync } from 'node:fs';
import { availableParallelism, hostname, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { Ambient } from '../../../kube/ambient.ts';
import { type BackupResult, backup } from '../backup/backup.ts';
import { type ChunkingRule, chunkingWishes, parseChunkingRule } from '../backup/choose-chunking.ts';
import { measureSelection } from '../backup/measure-selection.ts';
import { selectPaths } from '../backup/walk-directories.ts';
import { decideParent, findSnapshot } from '../find-snapshot.ts';
import type { CompressionLevel } from '../format/compress.ts';
import { beginWriting } from '../locks/writer-session.ts';
import type { StoredSnapshot } from '../repository.ts';
import { pathFilter } from '../select-paths.ts';
import {
  type CareRun,
  commonUsage,
  incompleteExitCode,
  localLimitOptions,
  localLimitsOf,
  runCareCommand,
  textsOf,
  wholeNumber,
  wrongArgument,
} from './care-arguments.ts';
import { saveRawDevice } from './device-command.ts';
import { inWords } from './errno-words.ts';
import { withoutRepository } from './own-repository.ts';
import { toBytes, toText } from './path-text.ts';
import { progressLine, renderBytes } from './progress-line.ts';
import { readableSnapshots } from './readable-snapshots.ts';

const usage = `Usage: stork-agent backup --repo PLACE --password-file FILE [options] PATH...
       stork-agent backup --repo PLACE --password-file FILE [options] --raw-device DEVICE

Saves the paths with everything below as one restore point. What an earlier one of the same host and paths has is neither read nor
stored again. With --raw-device a disk, partition or volume byte for byte, as a restore point of its own.

${commonUsage}      --exclude PATTERN       leaves out: /a/path, or a name or end of a path anywhere; * and ?; may be repeated
      --raw-device DEVICE     a block device, or an image file that stands for one: all of it is read, new blocks are stored
      --tag TEXT              marks the restore point; may be repeated
      --host NAME             as whose it counts (default: this machine's name)
      --parent ID             compares with this restore point
      --force                 reads everything
      --compression WORD      off, fastest, auto, better or max (default auto)
      --chunking WORD[:PATTERN]   how files above 512 KiB are cut: content (where their content says, about 1 MiB), fixed (blocks of
                              128 KiB, for what is rewritten in place), or auto (fixed for whole pages of 4 KiB that are no text, as
                              databases and disk images have them; the default). With a pattern as of --exclude for those files; the last that fits counts
      --limit-local KIB       KiB a second read of the data at most, by all threads together;  --limit-iops N  operations a second,
                              one for up to 256 KiB that lie together
      --threads N             (default: up to 4)

Exit code: 0 all was saved, 3 some was not (each is named), 1 there is no restore point, 2 wrong arguments, 10 no repository,
11 it is locked, 12 wrong password.
`;

export const runBackupCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('backup', { usage, options, words: 'Taken', run }, argv, ambient);

const options = {
  'raw-device': { type: 'string' },
  exclude: { type: 'string', multiple: true },
  tag: { type: 'string', multiple: true },
  host: { type: 'string' },
  parent: { type: 'string' },
  force: { type: 'boolean' },
  compression: { type: 'string' },
  chunking: { type: 'string', multiple: true },
  threads: { type: 'string' },
  ...localLimitOptions,
} as const;

const levels: Readonly<Record<string, CompressionLevel | undefined>> = {
  off: undefined,
  fastest: 1,
  auto: 3,
  better: 9,
  max: 19,
};

async function run(care: CareRun): Promise<number> {
  const { context, options: given, words, ambient, answer, warn } = care;
  if (given['raw-device'] !== undefined) return await runDevice(care);
  if (words.length === 0) throw wrongArgument('Say what to save', 'PATH');
  const named = words.map(realPath);
  const paths = named.filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
  const absent = named.filter((path) => !paths.includes(path));
  if (paths.length === 0) throw wrongArgument('There is nothing of that name', absent.join(' '));
  for (const path of absent) warn(`${path}: does not exist`);
  const excludes = textsOf(given.exclude);
  const common = await commonOptions(care, paths, excludes);
  const { parent } = common;
  const line = progressLine(ambient.stderr, ambient.clock);
  await using session = await beginWriting(context);
  const patterns = pathFilter([], excludes.map(toBytes));
  const chosen = {
    paths: paths.map(toBytes),
    excludes: withoutRepository(patterns, { place: String(given.repo), paths, warn }),
  };
  const isWatchedFirst = parent === undefined && ambient.stderr.isTTY === true;
  const size = isWatchedFirst
    ? measureSelection({ selection: selectPaths(chosen.paths), excludes: chosen.excludes, clock: ambient.clock })
    : undefined;
  const result = await backup({
    ...common,
    ...chosen,
    session,
    chunking: textsOf(given.chunking).map(chunkingRule),
    onProgress: ({ entries, bytesRead, bytesUnchanged }) =>
      line.show({
        what: 'saving',
        files: entries,
        bytes: bytesRead + bytesUnchanged,
        totalBytes: parent?.summary?.bytes ?? size?.bytes ?? 0,
      }),
  }).finally(() => {
    size?.stop();
    line.end();
  });
  for (const { path, message } of result.problems) warn(`${toText(path)}: ${inWords(message)}`);
  if (result.problemCount > result.problems.length) warn(`and ${result.problemCount - result.problems.length} more`);
  answer(jsonOf(result, parent), render(result));
  return result.leftOutCount + absent.length > 0 ? incompleteExitCode : 0;
}

function chunkingRule(text: string): ChunkingRule {
  const rule = parseChunkingRule(toBytes(text));
  if (rule !== undefined) return rule;
  throw wrongArgument(`${text} is not one of ${chunkingWishes.join(', ')}, or one of them with :PATTERN`, '--chunking');
}

/** What a restore point says of itself, and what it is compared with. */
async function commonOptions(care: CareRun, paths: readonly string[], excludes: readonly string[]) {
  const { context, options: given, ambient } = care;
  const word = typeof given.compression === 'string' ? given.compression : 'auto';
  if (!Object.hasOwn(levels, word)) throw wrongArgument(`There is no compression ${word}`, '--compression');
  const host = typeof given.host === 'string' ? given.host : hostname();
  const { uid, gid, username } = userInfo();
  return {
    repository: context.repository,
    describe: {
      time: ambient.clock.now(),
      hostname: host,
      username,
      uid,
      gid,
      tags: textsOf(given.tag),
      excludes,
      programVersion: `stork ${ambient.version}`,
    },
    parent: decideCompared((await readableSnapshots(care)).snapshots, { hostname: host, paths }, given),
    level: levels[word],
    threads: threadsOf(given),
    limits: localLimitsOf(given),
    signal: ambient.signal,
    clock: ambient.clock,
  };
}

async function runDevice(care: CareRun): Promise<number> {
  const { context, options: given, words } = care;
  if (words.length > 0)
    throw wrongArgument('A raw device is a restore point of its own: save the paths by themselves', words.join(' '));
  for (const other of ['exclude', 'chunking'])
    if (given[other] !== undefined) throw wrongArgument('A raw device is saved whole, in fixed blocks', `--${other}`);
  const path = realPath(String(given['raw-device']));
  const common = await commonOptions(care, [path], []);
  await using session = await beginWriting(context);
  return await saveRawDevice(care, { ...common, session, path: toBytes(path) });
}

const threadsAtMost = 4;

export function threadsOf({ threads }: CareRun['options']): number {
  const count = wholeNumber(threads, '--threads') ?? Math.min(threadsAtMost, availableParallelism());
  if (count < 1) throw wrongArgument('There is at least one thread', '--threads');
  return Math.min(64, count);
}

/** Directories on the way by their own names; a symlink in the last place is saved as what it is. */
function realPath(word: string): string {
  const path = resolve(word);
  try {
    return path === '/' ? path : join(realpathSync(dirname(path)), basename(path));
  } catch (cause) {
    throw wrongArgument(`There is no such path: ${cause instanceof Error ? cause.message : ''}`, word);
  }
}

function decideCompared(
  snapshots: readonly StoredSnapshot[],
  of: { readonly hostname: string; readonly paths: readonly string[] },
  given: CareRun['options'],
): StoredSnapshot | undefined {
  if (given.force === true) return undefined;
  return typeof given.parent === 'string' ? findSnapshot(snapshots, given.parent) : decideParent(snapshots, of);
}

const jsonOf = (result: BackupResult, parent: StoredSnapshot | undefined) => ({
  ...result,
  parent: parent?.id,
  problems: result.problems.map((problem) => ({ ...problem, path: toText(problem.path) })),
});

function render(result: BackupResult): string[] {
  const { entries, unchanged, filesRead, bytesRead, newBlobs, bytesAdded, problemCount, snapshot } = result;
  return [
    `${entries} entries, ${unchanged} unchanged; ${filesRead} files read (${renderBytes(bytesRead)}), ${newBlobs} blobs added (${renderBytes(bytesAdded)})`,
    ...(problemCount === 0 ? [] : [`${problemCount} could not be saved as they were`]),
    `restore point ${snapshot.slice(0, 8)} saved`,
  ];
}
