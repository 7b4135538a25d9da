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
/** Up to here any JSON can be parsed: the worst, brackets only, takes 45 times as much memory. */
const anyJsonBytes = 4 * 1024 * 1024;
/** What is written for one object or list of a large document, at least: a third of what a pack's blob takes. */
const leastBytesEach = 48;

/**
 * Refuses large JSON of so many brackets that it would take a hundred times its size, or minutes: 128 MiB of `[` take 5 GB.
 * Throws `RepositoryDamaged`.
 */
export function refuseSwarm(json: Uint8Array, about: string): void {
  if (json.length <= anyJsonBytes) return;
  let opened = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === 0x7b || byte === 0x5b) opened++;
  }
  if (opened * leastBytesEach > json.length) failDamaged('A document has impossibly many brackets', about);
}

/** @param about names the object in errors. Throws `RepositoryDamaged` when it is no JSON object. */
export function readJson(bytes: Uint8Array, about: string): JsonReader {
  let value: unknown;
  refuseSwarm(bytes, about);
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    return failDamaged('A document is no JSON', about, cause);
  }
  return jsonReader(value, about);
}

export function jsonReader(value: unknown, about: string): JsonReader {
  return isRecord(value) ? new FieldReader(value, about) : failDamaged('A document is no JSON object', about);
}

/** A class, as there are many: one for each blob of an index and each node of a tree. */
class FieldReader implements JsonReader {
  readonly about: string;
  readonly #value: Readonly<Record<string, unknown>>;

  constructor(value: Readonly<Record<string, unknown>>, about: string) {
    this.#value = value;
    this.about = about;
  }

  #wrong(field: string, wanted: string): never {
    return failDamaged(`Field ${field} is no ${wanted}`, this.about);
  }

  optionalText(field: string, limit = textLimit): string | undefined {
    const found = this.#value[field];
    if (found === undefined || found === null) return undefined;
    return typeof found === 'string' && found.length <= limit
      ? found
      : this.#wrong(field, `text of up to ${limit} characters`);
  }

  text(field: string, limit?: number): string {
    return this.optionalText(field, limit) ?? this.#wrong(field, 'text');
  }

  optionalCount(field: string): number | undefined {
    const found = this.#value[field];
    if (found === undefined || found === null) return undefined;
    const isCount = typeof found === 'number' && Number.isSafeInteger(found) && found >= 0;
    return isCount ? found : this.#wrong(field, 'whole number');
  }

  count(field: string): number {
    return this.optionalCount(field) ?? this.#wrong(field, 'whole number');
  }

  optionalWide(field: string): bigint | undefined {
    const found = this.#value[field];
    if (typeof found !== 'string') {
      const count = this.optionalCount(field);
      return count === undefined ? undefined : BigInt(count);
    }
    const isWide = /^\d{1,20}$/.test(found) && BigInt(found) < 2n ** 64n;
    return isWide ? BigInt(found) : this.#wrong(field, 'whole number of 64 bits');
  }

  flag(field: string): boolean {
    return this.#value[field] === true;
  }

  optionalList(field: string): readonly unknown[] | undefined {
    const found = this.#value[field];
    if (found === undefined || found === null) return undefined;
    return Array.isArray(found) ? (found as readonly unknown[]) : this.#wrong(field, 'list');
  }

  list(field: string): readonly unknown[] {
    return this.optionalList(field) ?? [];
  }

  texts(field: string): readonly string[] {
    return this.list(field).map((one) => (typeof one === 'string' ? one : this.#wrong(field, 'list of texts')));
  }

  object(field: string): JsonReader {
    return jsonReader(this.#value[field], `${this.about} ${field}`);
  }

  optionalObject(field: string): JsonReader | undefined {
    const found = this.#value[field];
    return found === undefined || found === null ? undefined : jsonReader(found, `${this.about} ${field}`);
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
