/** `stork-agent prune`: frees the space of what no restore point needs, in two phases and beside running backups. */
import type { Ambient } from '../../../kube/ambient.ts';
import { StorkError } from '../../../kube/errors.ts';
import { before, parseSpan } from '../forget/retention.ts';
import { type HeldResult, purgeDeleted, type VersionsTold } from '../object-lock/purge-deleted.ts';
import { requireVersions } from '../object-lock/renew-locks.ts';
import { type CollectResult, collectGarbage, type PacksTold } from '../prune/collect-garbage.ts';
import { type CareRun, commonUsage, runCareCommand, wrongArgument } from './care-arguments.ts';
import { renderBytes } from './progress-line.ts';

const usage = `Usage: stork-agent prune --repo PLACE --password-file FILE [options]

First deletes what an earlier prune marked, if its wait is over and nothing needs it again; then marks what nothing needs now. Run it
regularly, for example each night. Backups go on meanwhile; stock restic is kept out while packs are deleted, and waited for.

${commonUsage}      --min-wait SPAN         how long a mark waits at least (default 1h); 0 marks and deletes in one run when nobody else works
      --max-unused N%         share of unused bytes that may stay in packs in use (default 5%)
      --max-repack-size N     MiB to copy in one run at most (default 16384)
      --purge-deleted SPAN    in a bucket that keeps versions, where deleting only hides: removes for good what was deleted at least
                              SPAN (30d) ago and no lock holds; until then --as-of finds it
  -n, --dry-run               only tells what would be deleted and marked
`;

export const runPruneCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('prune', { usage, options, run }, argv, ambient);

const options = {
  'min-wait': { type: 'string' },
  'max-unused': { type: 'string' },
  'max-repack-size': { type: 'string' },
  'purge-deleted': { type: 'string' },
  'dry-run': { type: 'boolean', short: 'n' },
} as const;

const mebibyte = 1024 * 1024;

async function run({ context, options: given, answer }: CareRun): Promise<number> {
  const isDryRun = given['dry-run'] === true;
  const result = await collectGarbage(context, {
    minWaitMs: readWait(given['min-wait']),
    unusedShare: readShare(given['max-unused']),
    repackBytes: readMebibytes(given['max-repack-size']),
    effects: isDryRun ? 'OnlyPlanned' : 'Done',
  });
  const held = await tellHeld(context, given['purge-deleted'], isDryRun);
  answer({ dryRun: isDryRun, ...result, ...held }, [...render(result, isDryRun), ...renderHeld(held)]);
  return 0;
}

/** After the collector, which stops at anything that is lost: nothing is purged beside damage. */
async function tellHeld({ repository, clock, signal }: CareRun['context'], span: unknown, isDryRun: boolean) {
  const { store } = repository;
  const now = clock.now();
  const deletedBefore = typeof span === 'string' ? before(now, parseSpan(span, '--purge-deleted')) : undefined;
  if (deletedBefore !== undefined) {
    const versions = await requireVersions(store, signal);
    const options = { now, deletedBefore: isDryRun ? undefined : deletedBefore, signal };
    return { versions: await purgeDeleted(versions, options) };
  }
  if (store.versions === undefined) return {};
  try {
    const areKept = await store.versions.areKept(signal);
    if (areKept === 'No') return {};
    if (areKept === 'Unknown') return { versionsUnknown: 's3:GetBucketVersioning is not allowed' };
    return { versions: await purgeDeleted(store.versions, { now, deletedBefore, signal }) };
  } catch (error) {
    // What prune is for is done; it may well have no right to look at versions.
    if (!(error instanceof StorkError) || error.code !== 'StoreRefused') throw error;
    return { versionsUnknown: error.message };
  }
}

interface Held {
  readonly versions?: HeldResult;
  readonly versionsUnknown?: string;
}

function renderHeld({ versions, versionsUnknown }: Held): string[] {
  if (versionsUnknown !== undefined)
    return [`whether this bucket keeps what was deleted, and how much, is not known: ${versionsUnknown}`];
  if (versions === undefined) return [];
  const { purged, held, locked, unlocked, lockedUntil } = versions;
  return [
    ...(purged.versions > 0 ? [`purged ${sayVersions(purged)}: that room is free`] : []),
    `the bucket keeps versions: deleted objects still take ${sayVersions(held)}`,
    ...(lockedUntil === undefined
      ? []
      : [`  ${sayVersions(locked)} are locked; the last lock ends ${lockedUntil.toISOString()}`]),
    ...(unlocked.versions > 0
      ? [
          `  ${sayVersions(unlocked)} are not locked: \`--purge-deleted SPAN\` or a lifecycle rule of the bucket frees them`,
        ]
      : []),
  ];
}

const sayVersions = ({ versions, bytes }: VersionsTold): string => `${versions} versions (${renderBytes(bytes)})`;

function readWait(value: unknown): number {
  if (value === '0') return 0;
  const epoch = new Date(0);
  return -before(epoch, parseSpan(typeof value === 'string' ? value : '1h', '--min-wait')).getTime();
}

function readShare(value: unknown): number {
  const text = typeof value === 'string' ? value : '5%';
  if (!/^\d{1,3}(\.\d+)?%$/.test(text)) throw wrongArgument('A share is a percentage such as 5%', '--max-unused');
  return Number(text.slice(0, -1)) / 100;
}

function readMebibytes(value: unknown): number {
  const text = typeof value === 'string' ? value : '16384';
  if (!/^\d{1,9}$/.test(text)) throw wrongArgument('A size is a whole number of MiB', '--max-repack-size');
  return Number(text) * mebibyte;
}

const say = ({ packs, bytes }: PacksTold): string => `${packs} packs (${renderBytes(bytes)})`;

function render({ deleted, rescued, marked, repacked, damaged, waitsFor }: CollectResult, isDryRun: boolean): string[] {
  const [hasDeleted, hasMarked] = isDryRun ? ['would delete', 'would mark'] : ['deleted', 'marked'];
  return [
    `${hasDeleted} ${say(deleted)}`,
    ...(rescued.packs > 0 ? [`kept ${say(rescued)} that were marked and are in use again`] : []),
    `${hasMarked} ${say(marked)}, of them ${say(repacked)} after copying what is used`,
    ...damaged.map((pack) => `left ${pack} alone: it is damaged; see \`stork-agent verify --read-data\``),
    ...waitsFor.map((reason) => `not yet: ${reason}`),
  ];
}
