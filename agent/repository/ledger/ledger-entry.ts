/**
 * One entry of a repository's ledger, `stork/ledger/NUMBER`: which objects were added, and which are about to be removed on purpose. Sealed
 * with the repository's key, so nobody without it can forge one; each names its predecessor's digest. Nothing depends on the ledger but
 * verify's answer to "is something gone that nobody took away?".
 */

import { assertId } from '../format/object-id.ts';
import { type JsonReader, jsonReader, readJson } from '../format/read-json.ts';
import { failDamaged } from '../repository-error.ts';

/** Something that was done to an object whose disappearance matters. */
export interface Fact {
  /** Its name: a restore point, key slot, manifest or setting. */
  readonly object: string;
  readonly time: Date;
  /** For people, when it is gone: whose restore point it was, whom the key slot was for. */
  readonly what: string;
}

export interface LedgerEntry {
  /** From 1, without gaps: two writers can't take the same. */
  readonly number: number;
  /** SHA-256 of the sealed entry before; undefined for the first. */
  readonly previous: string | undefined;
  /** It says everything that those before it said, which may be removed. */
  readonly isSummary: boolean;
  readonly added: readonly Fact[];
  /** Written before the object goes. */
  readonly removing: readonly Fact[];
}

export const ledgerPrefix = 'stork/ledger/';
const numberDigits = 12;
const numberPattern = /^\d{12}$/;

export const entryName = (number: number): string => `${ledgerPrefix}${String(number).padStart(numberDigits, '0')}`;

/** Undefined for what is no entry. */
export function entryNumber(name: string): number | undefined {
  const digits = name.slice(ledgerPrefix.length);
  return name.startsWith(ledgerPrefix) && numberPattern.test(digits) ? Number(digits) : undefined;
}

/** What an object's disappearance is noticed of. */
export const recordedPrefixes = ['snapshots/', 'keys/', 'stork/keys/', 'stork/manifests/', 'stork/settings/'] as const;
const recordedPattern = /^((snapshots|keys|stork\/keys|stork\/manifests)\/[0-9a-f]{64}|stork\/settings\/\d{12})$/;

export const isRecorded = (object: string): boolean => recordedPattern.test(object);

/** Enough for a host and a path or two; 100,000 facts stay below a fifth of what a document may take. */
const whatLimit = 160;

/** @param what is cut, and freed of what a terminal would obey */
export const factOf = (object: string, time: Date, what: string): Fact => ({
  object,
  time,
  what: what.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ').slice(0, whatLimit),
});

const format = 1;

export function encodeEntry({ number, previous, isSummary, added, removing }: LedgerEntry): string {
  const encode = ({ object, time, what }: Fact) => ({ object, time: time.toISOString(), what: what || undefined });
  return JSON.stringify({
    ledger: format,
    number,
    previous,
    summary: isSummary || undefined,
    added: added.map(encode),
    removing: removing.map(encode),
  });
}

/** @param number by its name, which the seal does not prove. Throws `RepositoryDamaged`. */
export function parseEntry(json: Uint8Array, number: number, about: string): LedgerEntry {
  const read = readJson(json, about);
  if (read.count('ledger') !== format) failDamaged('This version knows no ledger of that format', about);
  if (read.count('number') !== number) failDamaged('This is another entry of the ledger', about);
  const previous = read.optionalText('previous', 64);
  return {
    number,
    previous: previous === undefined ? undefined : assertId(previous, about),
    isSummary: read.flag('summary'),
    added: read.list('added').map((one) => parseFact(jsonReader(one, about))),
    removing: read.list('removing').map((one) => parseFact(jsonReader(one, about))),
  };
}

function parseFact(read: JsonReader): Fact {
  const object = read.text('object', 128);
  const time = new Date(read.text('time', 64));
  if (!isRecorded(object)) failDamaged('The ledger tells of an object of no known kind', read.about);
  if (Number.isNaN(time.getTime())) failDamaged('The ledger tells of something without a time', read.about);
  return { object, time, what: read.optionalText('what', whatLimit) ?? '' };
}
