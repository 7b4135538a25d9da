/** `--as-of`: the repository as it was at a time. */
import { before, parseSpan } from '../forget/retention.ts';
import { wrongArgument } from './unlock-arguments.ts';

export const asOfOptions = { 'as-of': { type: 'string' } } as const;

export const asOfUsage = `      --as-of TIME            as the repository was then, whatever was removed or overwritten since: 2026-11-21T20:00:00Z, or a
                              span back from now (2d12h; y, m for months, d, h); needs an S3 bucket that keeps versions; takes no lock
`;

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;

/** @throws `ArgumentInvalid` */
export function parseAsOf(text: string, now: Date): Date {
  const time = rfc3339.test(text) ? new Date(text.replace(' ', 'T')) : spanBack(text, now);
  if (Number.isNaN(time.getTime())) throw wrongArgument(`${JSON.stringify(text)} is no time`, '--as-of');
  if (time > now) throw wrongArgument(`${time.toISOString()} lies in the future`, '--as-of');
  return time;
}

function spanBack(text: string, now: Date): Date {
  if (/^(\d{1,5}[ymdh])+$/.test(text)) return before(now, parseSpan(text, '--as-of'));
  throw wrongArgument(
    `${JSON.stringify(text)} is no time: write it with its zone, as 2026-11-21T20:00:00Z, or as a span back, as 2d12h`,
    '--as-of',
  );
}
