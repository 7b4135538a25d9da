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
  return parseUsual(text) ?? parseAny(text, about);
}

function parseAny(text: string, about: string): bigint {
  const [, upToSeconds, fraction = '', zone] = pattern.exec(text) ?? [];
  const ms = Date.parse(`${upToSeconds}${zone}`);
  if (upToSeconds === undefined || Number.isNaN(ms)) return failDamaged('A time is no RFC 3339', about);
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** Of a form that most times have, `2026-11-22T13:38:24.5Z`, in a tenth of the time; undefined for others. */
function parseUsual(text: string): bigint | undefined {
  const { length } = text;
  const isForm =
    text[4] === '-' &&
    text[7] === '-' &&
    text[10] === 'T' &&
    text[13] === ':' &&
    text[16] === ':' &&
    text.endsWith('Z');
  if (!isForm || length > 30 || length === 21 || (length > 20 && text[19] !== '.')) return undefined;
  const [year, month, day] = [digitsIn(text, 0, 4), digitsIn(text, 5, 7), digitsIn(text, 8, 10)];
  const [hour, minute, second] = [digitsIn(text, 11, 13), digitsIn(text, 14, 16), digitsIn(text, 17, 19)];
  const fraction = length > 20 ? digitsIn(text, 20, length - 1) * 10 ** (9 - (length - 21)) : 0;
  // Smaller years `Date.UTC` takes for others, and not every month has more days.
  const isUsual = year >= 1000 && month >= 1 && month <= 12 && day >= 1 && day <= 28 && fraction >= 0;
  if (!isUsual || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return undefined;
  return BigInt(Date.UTC(year, month - 1, day, hour, minute, second)) * 1_000_000n + BigInt(fraction);
}

/** -1 when there is anything else. */
function digitsIn(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}
