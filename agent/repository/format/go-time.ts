/** Times as Go writes them into JSON (RFC 3339 with nanoseconds). */
import { failDamaged } from '../repository-error.ts';

const second = 1_000_000_000n;
const pattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;
/** Go refuses years outside 0–9999. */
const earliestMs = Date.parse('0001-01-01T00:00:00Z');
const latestMs = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Files beside each other often changed in the same second. */
let last = { second: 0n, text: '1970-01-01T00:00:00' };

/** Times that Go could not write become the nearest that it can. */
export function formatTime(ns: bigint): string {
  const rest = ns % second;
  const fraction = Number(rest < 0n ? rest + second : rest);
  const whole = (ns - BigInt(fraction)) / second;
  if (whole !== last.second) {
    const ms = Math.min(latestMs, Math.max(earliestMs, Number(whole) * 1000));
    last = { second: whole, text: new Date(ms).toISOString().slice(0, 19) };
  }
  if (fraction === 0) return `${last.text}Z`;
  const digits = `${fraction}`.padStart(9, '0');
  return `${last.text}.${digits.endsWith('0') ? digits.replace(/0+$/, '') : digits}Z`;
}

/** Nanoseconds since 1970; 0 when the field is missing. */
export function parseTime(text: string | undefined, about: string): bigint {
  if (text === undefined) return 0n;
  const [, upToSeconds, fraction = '', zone] = pattern.exec(text) ?? [];
  const ms = Date.parse(`${upToSeconds}${zone}`);
  if (upToSeconds === undefined || Number.isNaN(ms)) return failDamaged('A time is no RFC 3339', about);
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
