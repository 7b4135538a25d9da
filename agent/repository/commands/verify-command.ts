/** `stork-agent verify`: is everything there, and if not, what is lost. */
import { appendFileSync, closeSync, constants, ftruncateSync, openSync } from 'node:fs';
import type { Ambient } from '../../../kube/ambient.ts';
import { isRecorded } from '../ledger/ledger-entry.ts';
import { recordRemoving } from '../ledger/write-ledger.ts';
import { planRepair, type RepairPlan } from '../repair/plan-repair.ts';
import { type RepairResult, repair } from '../repair/repair.ts';
import type { VerifyReport } from '../verify/finding.ts';
import { type AffectedTo, type VerifyDepth, verify } from '../verify/verify.ts';
import { asOfOptions, asOfUsage } from './as-of-argument.ts';
import { type CareRun, commonUsage, runCareCommand, wrongArgument } from './care-arguments.ts';
import { toText } from './path-text.ts';
import { renderBytes } from './progress-line.ts';

const usage = `Usage: stork-agent verify --repo PLACE --password-file FILE [options]

Looks at every index, restore point and tree, and at each pack's presence and size. Changes nothing without --apply.

${commonUsage}      --read-data             reads every byte
      --read-data-subset N%   reads that share of the packs
      --seed TEXT             which share: the same for the same text (default: the day)
      --repair                tells what could be made good again; best together with --read-data
      --repair --apply        does it, alone in the repository: indexes from packs, blobs out of damaged packs; what is lost is no
                              longer named, so that the next backup stores it again. No pack or restore point is removed.
      --lost-to FILE          writes every file that is lost into a new file, a line of JSON each; otherwise the first 1000 are told
      --accept-gone           restore points and key slots that are gone were removed on purpose: no longer tell of them
${asOfUsage}
Exit code: 0 all is well, 3 something is damaged, 4 nothing is damaged, but restore points or key slots are gone that no command of
ours removed (stock restic's forget and key remove do not say so), 1 it could not be looked at, 2 wrong arguments.
`;

export const runVerifyCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('verify', { usage, options, run }, argv, ambient);

const options = {
  'read-data': { type: 'boolean' },
  'read-data-subset': { type: 'string' },
  seed: { type: 'string' },
  repair: { type: 'boolean' },
  apply: { type: 'boolean' },
  'lost-to': { type: 'string' },
  'accept-gone': { type: 'boolean' },
  ...asOfOptions,
} as const;

export const damagedExitCode = 3;
const goneExitCode = 4;

async function run({ context, options: given, answer, ambient }: CareRun): Promise<number> {
  const { repository, signal, clock } = context;
  const isAccepting = given['accept-gone'] === true;
  if ((given.apply === true || isAccepting) && given['as-of'] !== undefined)
    throw wrongArgument('The past can not be changed', isAccepting ? '--accept-gone' : '--apply');
  const depth = readDepth(given, clock.now());
  const repaired = given.repair === true && given.apply === true ? await repair(context, depth) : undefined;
  using lost = lostFile(given['lost-to']);
  const report = await verify({
    repository,
    depth,
    affectedTo: lost,
    signal,
    onProgress: ({ packsRead, packsToRead }) => {
      if (ambient.stderr.isTTY) ambient.stderr.write(`\r${packsRead} of ${packsToRead} packs read`);
    },
  });
  if (ambient.stderr.isTTY && depth.read !== 'structure') ambient.stderr.write('\n');
  const plan = given.repair === true ? (repaired?.plan ?? planRepair(report)) : undefined;
  const accepted = isAccepting ? await acceptGone(context, report) : [];
  answer({ ...withTexts(report), accepted, repair: plan && { ...plan, done: repaired !== undefined } }, [
    ...(plan === undefined ? [] : renderRepair(plan, repaired)),
    ...render(report),
    ...accepted.map((object) => `accepted ${object}: its absence is no longer told`),
  ]);
  if (report.damage.length > 0 || report.affected.length > 0) return damagedExitCode;
  return report.gone.length > accepted.length ? goneExitCode : 0;
}

/** What was told as gone, recorded as removed on purpose. */
async function acceptGone(context: CareRun['context'], { damage, gone }: VerifyReport): Promise<readonly string[]> {
  const missing = damage.filter(({ kind }) => kind === 'missing');
  const objects = [...gone, ...missing].map(({ object }) => object).filter(isRecorded);
  await recordRemoving(context, objects, { time: context.clock.now(), why: 'gone, and accepted' });
  return objects;
}

function readDepth(given: CareRun['options'], now: Date): VerifyDepth {
  const subset = given['read-data-subset'];
  if (given['read-data'] === true) return { read: 'everything' };
  if (subset === undefined) return { read: 'structure' };
  const percent = typeof subset === 'string' && /^\d{1,3}(\.\d+)?%$/.test(subset) ? Number(subset.slice(0, -1)) : -1;
  if (percent < 0 || percent > 100)
    throw wrongArgument('A share of the packs is a percentage such as 5%', '--read-data-subset');
  const { seed } = given;
  return { read: 'sample', percent, seed: typeof seed === 'string' ? seed : now.toISOString().slice(0, 10) };
}

function renderRepair(plan: RepairPlan, done: RepairResult | undefined): string[] {
  const { indexAgain, salvage, forgetPacks, setAside, ledger, beyondRepair } = plan;
  const lines = [
    `repair   ${indexAgain.length} packs that no index names are indexed again`,
    `repair   ${salvage.length} damaged packs: what can be proven moves into new ones`,
    `repair   ${forgetPacks.length} packs are no longer named: the next backup stores what they held again`,
    `repair   ${setAside.length} indexes that can't be read are set aside below stork/set-aside/`,
    ...(ledger === 'Kept' ? [] : ['repair   the ledger is made anew of what can be read of it and what is there']),
    ...beyondRepair.map(({ object }) => `repair   ${object} is beyond repair`),
  ];
  if (done === undefined) return [...lines, 'repair   nothing was changed; --apply does it'];
  const { indexed, salvagedBlobs, unreadable } = done;
  return [
    ...lines,
    `repair   done: ${indexed.length} packs indexed, ${salvagedBlobs} blobs moved`,
    ...unreadable.map((pack) => `repair   ${pack} can't be read whole and stays as it is`),
  ];
}

/** Begins anew when the repository was looked at again. @throws `ArgumentInvalid` when there is such a file */
function lostFile(path: unknown): (AffectedTo & Disposable) | undefined {
  if (typeof path !== 'string') return undefined;
  const fd = openNew(path);
  return {
    begin: () => ftruncateSync(fd, 0),
    add: (file) => void appendFileSync(fd, `${JSON.stringify({ ...file, path: toText(file.path) })}\n`),
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function openNew(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND, 0o600);
  } catch (cause) {
    throw wrongArgument(`The file can not be made: ${cause instanceof Error ? cause.message : ''}`, '--lost-to');
  }
}

const withTexts = (report: VerifyReport) => ({
  ...report,
  affected: report.affected.map((file) => ({ ...file, path: toText(file.path) })),
});

function render({ damage, gone, notes, affected, affectedCount, checked }: VerifyReport): string[] {
  const lines = damage.map(({ object, kind, message }) => `damaged  ${object}: ${message} (${kind})`);
  for (const { object, message } of gone) lines.push(`gone     ${object}: ${message}`);
  for (const { object, message } of notes) lines.push(`note     ${object}: ${message}`);
  for (const { restorePoint, path, type, objects } of affected)
    lines.push(
      `lost     ${restorePoint} ${JSON.stringify(toText(path))}${type === 'dir' ? ' and everything below' : ''}` +
        (objects.length === 0 ? '' : ` (${objects.join(', ')})`),
    );
  if (affectedCount > affected.length)
    lines.push(`lost     and ${affectedCount - affected.length} more; \`--lost-to FILE\` writes all of them`);
  const { restorePoints, indexes, packs, blobs, trees, packsRead, bytesRead } = checked;
  lines.push(
    `${restorePoints} restore points, ${indexes} indexes, ${packs} packs, ${blobs} blobs, ${trees} trees; ${packsRead} packs read (${renderBytes(bytesRead)})`,
    damage.length === 0 && affectedCount === 0
      ? 'No damage found.'
      : `${damage.length} objects are damaged; ${affectedCount} files or directories can not be restored as they were.`,
  );
  if (gone.length > 0)
    lines.push(
      `${gone.length} objects are gone that no command of ours removed. If you know why, say so once: \`verify --accept-gone\`.`,
    );
  return lines;
}
