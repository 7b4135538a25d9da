/** `stork-agent copy`: restore points of one repository into another, as `restic copy` does. */
import type { Ambient } from '../../../kube/ambient.ts';
import { copyRestorePoints } from '../copy/copy-restore-points.ts';
import { findSnapshot, matchesSnapshot } from '../find-snapshot.ts';
import { openRepository } from '../repository.ts';
import type { SnapshotDocument } from '../verify/read-roots.ts';
import {
  type CareRun,
  commonUsage,
  incompleteExitCode,
  openPlace,
  runCareCommand,
  storeLimitsOf,
  textsOf,
  wrongArgument,
} from './care-arguments.ts';
import { progressLine, renderBytes } from './progress-line.ts';
import { readableDocuments, refuseUnknownLatest } from './readable-snapshots.ts';
import { readingLock } from './reading-lock.ts';
import { chosenOptions, chosenUsage, filterOf } from './snapshot-arguments.ts';
import { readUnlock } from './unlock-arguments.ts';

const usage = `Usage: stork-agent copy --repo PLACE --password-file FILE --from-repo PLACE --from-password-file FILE [options] [latest|ID...]

Copies restore points from one repository into another (--repo) that exists; without ids all that it lacks. What is there is not sent again.
Each keeps its time, host, paths and tags, gets a new id, and is there only when everything it needs is.

${commonUsage}      --from-repo PLACE       the repository to copy from
      --from-option NAME=VALUE   of its kind of store; may be repeated
      --from-password-file FILE  what opens it, or --from-password-secret, --from-identity-file, --from-key-plugin
${chosenUsage}      --no-lock               takes no lock in the one to copy from, for one that can't be written to: nothing may prune it meanwhile

Exit code: 0 all are there, 3 some could not be read (each is named), 1 failed, 2 wrong arguments, 10 no repository,
11 it is locked, 12 wrong password.
`;

const options = {
  'from-repo': { type: 'string' },
  'from-option': { type: 'string', multiple: true },
  'from-password-file': { type: 'string' },
  'from-password-secret': { type: 'string' },
  'from-identity-file': { type: 'string' },
  'from-key-plugin': { type: 'string' },
  ...chosenOptions,
  'no-lock': { type: 'boolean' },
} as const;

export const runCopyCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('copy', { usage, options, words: 'Taken', run }, argv, ambient);

async function run(care: CareRun): Promise<number> {
  const { context, options: given, ambient, answer } = care;
  const source = { ...context, repository: await openSource(care) };
  await using _lock = await readingLock(source, given['no-lock'] !== true);
  const { documents, damaged } = await readableDocuments({ ...care, context: source });
  const line = progressLine(ambient.stderr, ambient.clock);
  const { copied, there, sent } = await copyRestorePoints({
    source: source.repository,
    target: context,
    chosen: choose(care, documents, damaged),
    onProgress: ({ blobs, bytes, blobsNeeded }) =>
      line.show({ what: `copying (at most ${blobsNeeded} blobs)`, files: blobs, bytes, totalBytes: 0 }),
  }).finally(line.end);
  answer({ copied, there, ...sent, damaged }, [
    ...copied.map(({ from, to }) => `restore point ${from.slice(0, 8)} is ${to.slice(0, 8)} there`),
    `copied ${copied.length} restore points: ${sent.blobs} blobs (${renderBytes(sent.bytes)}) in ${sent.packs} packs; ${there.length} were there`,
  ]);
  return damaged.length > 0 && care.words.length === 0 ? incompleteExitCode : 0;
}

async function openSource(care: CareRun) {
  const { options: given, ambient } = care;
  const { 'from-repo': place, 'from-option': texts, cacert } = given;
  if (typeof place !== 'string') throw wrongArgument('Say which repository to copy from', '--from-repo');
  const unlock = await readUnlock(given, care, 'from-');
  const store = await openPlace(place, { options: textsOf(texts), cacert, limits: storeLimitsOf(given) }, care);
  return await openRepository(store, unlock, ambient.randomBytes, ambient.signal);
}

/** Without words all of the filter; an id is meant whatever the filter says, as everywhere. */
function choose(
  { options: given, words }: CareRun,
  documents: readonly SnapshotDocument[],
  damaged: readonly string[],
): readonly SnapshotDocument[] {
  const filter = filterOf(given);
  if (words.length === 0) return documents.filter(({ snapshot }) => matchesSnapshot(snapshot, filter));
  const snapshots = documents.map(({ snapshot }) => snapshot);
  return words.flatMap((word) => {
    refuseUnknownLatest(word, damaged);
    const { id } = findSnapshot(snapshots, word, filter);
    return documents.filter((document) => document.id === id);
  });
}
