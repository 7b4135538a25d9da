/** Reads JSON documents of a repository field by field: whoever can write to the bucket chose these bytes. */
import { failDamaged } from '../repository-error.ts';

export interface JsonReader {
  readonly about: string;
  text(field: string, limit?: number): string;
  optionalText(field: string, limit?: number): string | undefined;
  /** A whole number from 0 to 2^53 - 1. */
  count(field: string): number;
  optionalCount(field: string): number | undefined;
  /** Up to 2^64 - 1, exactly: see `exactNumbers`. */
  optionalWide(field: string): bigint | undefined;
  flag(field: string): boolean;
  list(field: string): readonly unknown[];
  optionalList(field: string): readonly unknown[] | undefined;
  texts(field: string): readonly string[];
  object(field: string): JsonReader;
  optionalObject(field: string): JsonReader | undefined;
}

/**
 * JSON text whose inode and device numbers are safe to parse: numbers that a double may not hold become texts, which `optionalWide`
 * reads. Inside of strings nothing matches, as quotation marks are escaped there.
 */
export function exactNumbers(json: string): string {
  return /":\d{16}/.test(json) ? json.replace(/"(inode|device_id|device)":(\d{16,20})(?=[,}])/g, '"$1":"$2"') : json;
}

const textLimit = 64 * 1024;

/** @param about names the object in errors. Throws `RepositoryDamaged` when it is no JSON object. */
export function readJson(bytes: Uint8Array, about: string): JsonReader {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    return failDamaged('A document is no JSON', about, cause);
  }
  return jsonReader(value, about);
}

export function jsonReader(value: unknown, about: string): JsonReader {
  if (!isRecord(value)) return failDamaged('A document is no JSON object', about);
  const wrong = (field: string, wanted: string): never => failDamaged(`Field ${field} is no ${wanted}`, about);
  const optionalText = (field: string, limit = textLimit) => {
    const found = value[field];
    if (found === undefined || found === null) return undefined;
    return typeof found === 'string' && found.length <= limit
      ? found
      : wrong(field, `text of up to ${limit} characters`);
  };
  const optionalCount = (field: string) => {
    const found = value[field];
    if (found === undefined || found === null) return undefined;
    const isCount = typeof found === 'number' && Number.isSafeInteger(found) && found >= 0;
    return isCount ? found : wrong(field, 'whole number');
  };
  const optionalWide = (field: string) => {
    const found = value[field];
    if (typeof found !== 'string') {
      const count = optionalCount(field);
      return count === undefined ? undefined : BigInt(count);
    }
    const isWide = /^\d{1,20}$/.test(found) && BigInt(found) < 2n ** 64n;
    return isWide ? BigInt(found) : wrong(field, 'whole number of 64 bits');
  };
  const optionalList = (field: string) => {
    const found = value[field];
    if (found === undefined || found === null) return undefined;
    return Array.isArray(found) ? (found as readonly unknown[]) : wrong(field, 'list');
  };
  return {
    about,
    optionalText,
    optionalCount,
    optionalWide,
    optionalList,
    text: (field, limit) => optionalText(field, limit) ?? wrong(field, 'text'),
    count: (field) => optionalCount(field) ?? wrong(field, 'whole number'),
    flag: (field) => value[field] === true,
    list: (field) => optionalList(field) ?? [],
    texts: (field) =>
      (optionalList(field) ?? []).map((one) => (typeof one === 'string' ? one : wrong(field, 'list of texts'))),
    object: (field) => jsonReader(value[field], `${about} ${field}`),
    optionalObject: (field) =>
      value[field] === undefined || value[field] === null ? undefined : jsonReader(value[field], `${about} ${field}`),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
