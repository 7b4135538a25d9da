/** What keeps blobs alive: every object under `snapshots/`, stock restic's too, and our manifests of application backups. */

import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { assertId, isId } from '../format/object-id.ts';
import { readJson } from '../format/read-json.ts';
import { oldestFirst, parseSnapshot } from '../format/snapshot.ts';
import type { OnDamage, Repository, StoredSnapshot } from '../repository.ts';
import type { StoredObject } from '../store/object-store.ts';
import { isDamage, isMissing, readDocument, refuseOversized } from './read-document.ts';

export interface Roots {
  /** Oldest first. */
  readonly snapshots: readonly StoredSnapshot[];
  /** Of manifests. */
  readonly manifests: readonly { readonly name: string; readonly trees: readonly string[] }[];
}

/** An object of JSON as it is. */
export interface RootText {
  readonly id: string;
  readonly text: string;
}

/** With fields that we don't know in its text. */
export interface SnapshotDocument extends RootText {
  readonly snapshot: StoredSnapshot;
}

export const snapshotPrefix = 'snapshots/';
export const manifestPrefix = 'stork/manifests/';
const readsAtOnce = 8;

interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told of roots that can't be read; without it the first of them is thrown: its blobs are unknown, not unused. */
  readonly onDamage?: OnDamage | undefined;
}

export async function readRoots(repository: Pick<Repository, 'store' | 'key'>, options: ReadOptions): Promise<Roots> {
  const snapshots = await readSnapshots(repository, options);
  const manifests = await readAll(repository, manifestPrefix, options, (json, name) => ({
    name,
    trees: parseManifest(json, name),
  }));
  return { snapshots, manifests };
}

/** The trees that a manifest keeps alive. Throws `RepositoryDamaged`. */
export const parseManifest = (json: Uint8Array, about: string): readonly string[] =>
  readJson(json, about)
    .texts('trees')
    .map((tree) => assertId(tree, about));

/** Oldest first. */
export const readSnapshots = async (
  repository: Pick<Repository, 'store' | 'key'>,
  options: ReadOptions,
): Promise<readonly StoredSnapshot[]> => (await readAll(repository, snapshotPrefix, options, parse)).sort(oldestFirst);

/** Oldest first. */
export async function readSnapshotDocuments(
  repository: Pick<Repository, 'store' | 'key'>,
  options: ReadOptions,
): Promise<readonly SnapshotDocument[]> {
  const documents = await readAll(repository, snapshotPrefix, options, (json, name, id) => ({
    id,
    text: json.toString('utf8'),
    snapshot: parse(json, name, id),
  }));
  return documents.sort((left, right) => oldestFirst(left.snapshot, right.snapshot));
}

const parse = (json: Buffer, name: string, id: string): StoredSnapshot => ({ id, ...parseSnapshot(json, name) });

/** In the order of their ids. */
export async function readTexts(
  repository: Pick<Repository, 'store' | 'key'>,
  prefix: string,
  options: ReadOptions,
): Promise<readonly RootText[]> {
  const texts = await readAll(repository, prefix, options, (json, _name, id) => ({ id, text: json.toString('utf8') }));
  return texts.sort((left, right) => (left.id < right.id ? -1 : 1));
}

async function readAll<Root>(
  repository: Pick<Repository, 'store' | 'key'>,
  prefix: string,
  { signal, onDamage }: ReadOptions,
  parse: (json: Buffer, name: string, id: string) => Root,
): Promise<Root[]> {
  const listed: StoredObject[] = [];
  for await (const object of repository.store.list(prefix, signal))
    if (isId(object.name.slice(prefix.length))) listed.push(object);
  const read = async (object: StoredObject): Promise<Root | undefined> => {
    const { name } = object;
    try {
      refuseOversized(object);
      return parse(await readDocument(repository, name, signal), name, name.slice(prefix.length));
    } catch (error) {
      // Forgotten since it was listed.
      if (isMissing(error)) return undefined;
      if (onDamage === undefined || !isDamage(error)) throw error;
      onDamage(name, error);
      return undefined;
    }
  };
  return (await mapLimit(listed, readsAtOnce, read, signal)).filter((root) => root !== undefined);
}

export const treesOf = ({ snapshots, manifests }: Roots): readonly string[] => [
  ...snapshots.map(({ tree }) => tree),
  ...manifests.flatMap(({ trees }) => trees),
];
