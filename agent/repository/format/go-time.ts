/** Times as Go writes them into JSON (RFC 3339 with nanoseconds). */
import { failDamaged } from '../repository-error.ts';

const second = 1_000_000_000n;
const pattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;
/** Go refuses years outside 0–9999. */
const earliestMs = Date.parse('0001-01-01T00:00:00Z');
const latestMs = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Times that Go could not write become the nearest that it can. */
export function formatTime(ns: bigint): string {
  const fraction = ((ns % second) + second) % second;
  const ms = Number((ns - fraction) / 1_000_000n);
  const iso = new Date(Math.min(latestMs, Math.max(earliestMs, ms))).toISOString().slice(0, 19);
  if (fraction === 0n) return `${iso}Z`;
  return `${iso}.${fraction.toString().padStart(9, '0').replace(/0+$/, '')}Z`;
}

/** Nanoseconds since 1970; 0 when the field is missing. */
export function parseTime(text: string | undefined, about: string): bigint {
  if (text === undefined) return 0n;
  const [, upToSeconds, fraction = '', zone] = pattern.exec(text) ?? [];
  const ms = Date.parse(`${upToSeconds}${zone}`);
  if (upToSeconds === undefined || Number.isNaN(ms)) return failDamaged('A time is no RFC 3339', about);
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
