/** What a retention policy says, and how its words are read: restic's own (`--keep-daily 7`, `--keep-within 1y2m3d4h`). */
import { StorkError } from '../../../kube/errors.ts';

export const periods = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type Period = (typeof periods)[number];

/** A stretch of calendar time back from the newest restore point of a group. */
export interface Span {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
}

export interface Retention {
  /** The newest so many; -1 for all. */
  readonly last?: number | undefined;
  /** The newest of each of the last so many periods that have one; -1 for all. */
  readonly keep: Readonly<Partial<Record<Period, number>>>;
  readonly within?: Span | undefined;
  readonly keepWithin: Readonly<Partial<Record<Period, Span>>>;
  /** A restore point with all tags of one of these lists stays. */
  readonly tags: readonly (readonly string[])[];
}

export const keepsNothing = ({ last, keep, within, keepWithin, tags }: Retention): boolean =>
  (last ?? 0) === 0 &&
  Object.values(keep).every((count) => count === 0) &&
  within === undefined &&
  Object.keys(keepWithin).length === 0 &&
  tags.length === 0;

/** @throws `ArgumentInvalid` */
export function parseSpan(text: string, about: string): Span {
  const span = { years: 0, months: 0, days: 0, hours: 0 };
  const units = { y: 'years', m: 'months', d: 'days', h: 'hours' } as const;
  if (!/^(\d{1,5}[ymdh])+$/.test(text))
    throw new StorkError({
      code: 'ArgumentInvalid',
      message: `${JSON.stringify(text)} is no span of time`,
      about,
      hint: 'Write for example 1y6m7d12h: years, months, days, hours.',
    });
  for (const [, number, unit] of text.matchAll(/(\d+)([ymdh])/g))
    span[units[unit as keyof typeof units]] += Number(number);
  return span;
}

/** The moment a span before another; months that are too short end on their last day. */
export function before(time: Date, { years, months, days, hours }: Span): Date {
  const start = new Date(time);
  const day = start.getUTCDate();
  start.setUTCDate(1);
  start.setUTCMonth(start.getUTCMonth() - months - 12 * years);
  const daysInMonth = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 0)).getUTCDate();
  start.setUTCDate(Math.min(day, daysInMonth));
  return new Date(start.getTime() - (days * 24 + hours) * 3_600_000);
}
