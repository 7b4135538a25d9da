/** `stork-agent repo renew-locks`: sets the object locks of what restore points need anew before they end. */
import { type RenewResult, renewLocks } from '../object-lock/renew-locks.ts';
import { type CareRun, wholeNumber, wrongArgument } from './care-arguments.ts';

export const renewOptions = {
  days: { type: 'string' },
  within: { type: 'string' },
  mode: { type: 'string' },
  'dry-run': { type: 'boolean', short: 'n' },
} as const;

const notWellExitCode = 3;
/** S3's own bound: a hundred years. */
const daysAtMost = 36_500;

export async function runRenewLocks({ context, options: given, answer, warn }: CareRun): Promise<number> {
  const days = wholeNumber(given.days, '--days');
  if (days === undefined) throw wrongArgument('Say for how many days from now', '--days');
  const withinDays = wholeNumber(given.within, '--within') ?? Math.ceil(days / 2);
  if (days < 1 || days > daysAtMost || withinDays < 1 || withinDays > days)
    throw wrongArgument(`--days is from 1 to ${daysAtMost}, --within from 1 to --days`, '--within');
  const isDryRun = given['dry-run'] === true;
  const result = await renewLocks(context.repository, {
    ...{ days, withinDays, mode: readMode(given.mode), now: context.clock.now() },
    effects: isDryRun ? 'OnlyPlanned' : 'Done',
    signal: context.signal,
  });
  for (const name of result.overwritten) warn(`${name}: somebody overwrote it; its right version is kept`);
  for (const name of result.removed)
    warn(`${name}: somebody deleted it, and an index names it; its right version is kept`);
  for (const name of result.damaged) warn(`${name}: no version has the right bytes; see \`stork-agent verify\``);
  for (const { name, message } of result.refused) warn(`${name}: ${message}`);
  answer({ dryRun: isDryRun, ...result }, render(result, isDryRun));
  const isWell = result.lockedUntil !== undefined && result.overwritten.length + result.removed.length === 0;
  return isWell ? 0 : notWellExitCode;
}

function readMode(value: unknown): 'GOVERNANCE' | 'COMPLIANCE' {
  if (value === undefined || value === 'GOVERNANCE') return 'GOVERNANCE';
  if (value === 'COMPLIANCE') return value;
  throw wrongArgument(`${JSON.stringify(value)} is neither GOVERNANCE nor COMPLIANCE`, '--mode');
}

function render({ needed, extended, locked, lockedUntil }: RenewResult, isDryRun: boolean): string[] {
  const would = isDryRun ? 'would have been ' : '';
  return [
    `${needed} objects are needed: ${extended} locks ${would}extended, ${locked} objects without one ${would}locked`,
    lockedUntil === undefined
      ? 'Not everything is locked; see above.'
      : `everything ${isDryRun ? 'would be' : 'is'} locked until ${lockedUntil.toISOString()} at least`,
  ];
}
