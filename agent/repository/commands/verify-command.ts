/** `stork-agent verify`: is everything there, and if not, what is lost. */
import type { Ambient } from '../../../kube/ambient.ts';
import type { VerifyReport } from '../verify/finding.ts';
import { type VerifyDepth, verify } from '../verify/verify.ts';
import { type CareRun, commonUsage, runCareCommand, wrongArgument } from './care-arguments.ts';

const usage = `Usage: stork-agent verify --repo PLACE --password-file FILE [options]

Looks at every index, restore point and tree, and at each pack's presence and size. Changes nothing.

${commonUsage}      --read-data             reads every byte
      --read-data-subset N%   reads that share of the packs
      --seed TEXT             which share: the same for the same text (default: the day)

Exit code: 0 all is well, 3 something is damaged, 1 it could not be looked at, 2 wrong arguments.
`;

export const runVerifyCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('verify', { usage, options, run }, argv, ambient);

const options = {
  'read-data': { type: 'boolean' },
  'read-data-subset': { type: 'string' },
  seed: { type: 'string' },
} as const;

export const damagedExitCode = 3;

async function run({ context, options: given, answer, ambient }: CareRun): Promise<number> {
  const { repository, signal, clock } = context;
  const depth = readDepth(given, clock.now());
  const report = await verify({
    repository,
    depth,
    signal,
    onProgress: ({ packsRead, packsToRead }) => {
      if (ambient.stderr.isTTY) ambient.stderr.write(`\r${packsRead} of ${packsToRead} packs read`);
    },
  });
  if (ambient.stderr.isTTY && depth.read !== 'structure') ambient.stderr.write('\n');
  answer(withTexts(report), render(report));
  return report.damage.length === 0 && report.affected.length === 0 ? 0 : damagedExitCode;
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

/** Paths are bytes inside and text outside. */
const readable = (path: string): string => Buffer.from(path, 'latin1').toString('utf8');

const withTexts = (report: VerifyReport) => ({
  ...report,
  affected: report.affected.map((file) => ({ ...file, path: readable(file.path) })),
});

function render({ damage, notes, affected, checked }: VerifyReport): string[] {
  const lines = damage.map(({ object, kind, message }) => `damaged  ${object}: ${message} (${kind})`);
  for (const { object, message } of notes) lines.push(`note     ${object}: ${message}`);
  for (const { restorePoint, path, type, objects } of affected)
    lines.push(
      `lost     ${restorePoint} ${JSON.stringify(readable(path))}${type === 'dir' ? ' and everything below' : ''}` +
        (objects.length === 0 ? '' : ` (${objects.join(', ')})`),
    );
  const { restorePoints, indexes, packs, blobs, trees, packsRead, bytesRead } = checked;
  lines.push(
    `${restorePoints} restore points, ${indexes} indexes, ${packs} packs, ${blobs} blobs, ${trees} trees; ${packsRead} packs read (${bytesRead} bytes)`,
    damage.length === 0 && affected.length === 0
      ? 'No damage found.'
      : `${damage.length} objects are damaged; ${affected.length} files or directories can not be restored as they were.`,
  );
  return lines;
}
