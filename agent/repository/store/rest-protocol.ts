/**
 * restic's REST protocol, version 2 (https://restic.readthedocs.io/en/stable/100_references.html#rest-backend), as client and server agree on it:
 * which path stands for which object. Pure.
 *
 * It has a repository's own kinds of objects and lists names and sizes only. Our server keeps more, and says so in every answer by the header
 * `Stork-Objects: 1`: objects below `stork/` at paths of their names, and `GET {path}stork-list?prefix=P&from=T`, a page of any prefix as
 * `{"objects": [[NAME, BYTES, MODIFIED_MS], …], "next": T}`. An upload may carry `Content-Digest: sha-256=:…:` (RFC 9530). Stock restic
 * notices none of it.
 */
import { jsonReader, refuseSwarm } from '../format/read-json.ts';
import { failDamaged } from '../repository-error.ts';
import type { StoredObject, StoredPage } from './object-store.ts';
import { unavailable } from './store-error.ts';

export const restVersion1 = 'application/vnd.x.restic.rest.v1';
export const restVersion2 = 'application/vnd.x.restic.rest.v2';

/** In every answer of a server that keeps what is below `stork/`. */
export const extensionHeader = 'stork-objects';
export const extensionVersion = '1';
/** Where such a server lists; no kind of object has this name. */
export const listPath = 'stork-list';

export const restTypes = ['data', 'index', 'keys', 'locks', 'snapshots'] as const;
export type RestType = (typeof restTypes)[number];

const id = '[0-9a-f]{64}';
const privateName = /^stork(\/[A-Za-z0-9][A-Za-z0-9._-]*)+$/;
const objectPath = new RegExp(`^(${restTypes.join('|')})/(${id})?$`);
const storedName = new RegExp(`^(?:config|(?:index|keys|locks|snapshots)/${id}|data/([0-9a-f]{2})/\\1[0-9a-f]{62})$`);
const namesAtMost = 512;

export type RestPlace =
  | { readonly kind: 'Object'; readonly name: string }
  | { readonly kind: 'Type'; readonly type: RestType }
  | { readonly kind: 'List' }
  | { readonly kind: 'Repository' };

/** Whether it is below `stork/`, which only our server keeps. */
export const isPrivate = (name: string): boolean => name.startsWith('stork/');

/** The path below the repository's; undefined when nothing of a repository has such a name. */
export function restPathOf(name: string): string | undefined {
  if (isPrivate(name)) return isPrivateName(name) ? name : undefined;
  return storedName.test(name) ? name.replace(/^data\/../, 'data') : undefined;
}

/** @param path below the repository's, as it came: nothing in it is decoded, so nothing can hide. Undefined: there is no such place. */
export function parseRestPath(path: string): RestPlace | undefined {
  if (path === '') return { kind: 'Repository' };
  if (path === listPath) return { kind: 'List' };
  if (path === 'config' || (isPrivate(path) && isPrivateName(path))) return { kind: 'Object', name: path };
  const [, found, object] = objectPath.exec(path) ?? [];
  const type = restTypes.find((one) => one === found);
  if (type === undefined) return undefined;
  return object === undefined ? { kind: 'Type', type } : { kind: 'Object', name: nameOf(type, object) };
}

/** An object's name by its type and id. */
export const nameOf = (type: RestType, object: string): string =>
  type === 'data' ? `data/${object.slice(0, 2)}/${object}` : `${type}/${object}`;

/** What its bytes' SHA-256 must be; undefined for names that don't say. */
export const digestOf = (name: string): string | undefined => new RegExp(`/(${id})$`).exec(name)?.[1];

const isPrivateName = (name: string): boolean =>
  name.length <= namesAtMost && privateName.test(name) && !name.includes('..');

/** As both ends write it, RFC 9530. @param digest in hex */
export const contentDigest = (digest: string): string => `sha-256=:${Buffer.from(digest, 'hex').toString('base64')}:`;

/** In hex; undefined when the header has none that we know. */
export function parseContentDigest(header: unknown): string | undefined {
  const [, base64] = typeof header === 'string' ? (/(?:^|, *)sha-256=:([A-Za-z0-9+/]{43}=):/.exec(header) ?? []) : [];
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('hex');
}

/** Of the extension. @throws `StoreUnavailable` */
export const parseStoredPage = (body: Buffer, prefix: string): StoredPage =>
  parseList(body, prefix, (list) => {
    const page = jsonReader(list, prefix);
    const objects = page.list('objects').map((one): StoredObject => {
      const [name, sizeBytes, modifiedMs] = Array.isArray(one) ? (one as readonly unknown[]) : [];
      if (typeof name !== 'string' || restPathOf(name) === undefined || !name.startsWith(prefix))
        return failDamaged('A list has a name that nobody asked for', prefix);
      const numbers = jsonReader({ sizeBytes, modifiedMs }, name);
      return { name, sizeBytes: numbers.count('sizeBytes'), modifiedAt: new Date(numbers.count('modifiedMs')) };
    });
    return { objects, next: page.optionalText('next') };
  });

/** Of protocol version 2; what has no id for its name is something else's. @throws `StoreUnavailable` */
export const parseTypeList = (body: Buffer, type: RestType): readonly StoredObject[] =>
  parseList(body, type, (list) =>
    // Of an empty folder some servers say `null`.
    jsonReader({ list }, type)
      .list('list')
      .flatMap((one) => {
        const read = jsonReader(one, type);
        const name = nameOf(type, read.text('name', namesAtMost));
        return storedName.test(name) ? [{ name, sizeBytes: read.count('size'), modifiedAt: new Date(0) }] : [];
      }),
  );

function parseList<Result>(body: Buffer, about: string, parse: (list: unknown) => Result): Result {
  try {
    refuseSwarm(body, about);
    return parse(JSON.parse(body.toString('utf8')));
  } catch (cause) {
    throw unavailable('it answered with a list that is none', about, { cause });
  }
}
