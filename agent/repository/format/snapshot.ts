/** An object under `snapshots/`: its appearance makes a restore point. Source: "Snapshots" of restic's design document. */
import { failDamaged } from '../repository-error.ts';
import { assertId } from './object-id.ts';
import { type JsonReader, readJson } from './read-json.ts';

/** How much a backup saw; restic writes more fields, newer ones the same names. */
export interface SnapshotSummary {
  readonly entries: number;
  /** Of all files. */
  readonly bytes: number;
  /** What the repository grew by. */
  readonly bytesAdded: number;
}

export interface Snapshot {
  readonly time: Date;
  readonly parent?: string | undefined;
  readonly tree: string;
  readonly paths: readonly string[];
  readonly hostname: string;
  readonly username: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly tags: readonly string[];
  readonly excludes: readonly string[];
  readonly programVersion?: string | undefined;
  readonly summary?: SnapshotSummary | undefined;
}

/** For `sort`: by their times. */
export const oldestFirst = (
  left: { readonly time: Date; readonly id: string },
  right: { readonly time: Date; readonly id: string },
): number => left.time.getTime() - right.time.getTime() || (left.id < right.id ? -1 : 1);

export function encodeSnapshot(snapshot: Snapshot): string {
  const { time, parent, tree, paths, hostname, username, uid, gid, tags, excludes, programVersion, summary } = snapshot;
  return JSON.stringify({
    time: time.toISOString(),
    parent,
    tree,
    paths,
    hostname,
    username,
    uid,
    gid,
    excludes: excludes.length === 0 ? undefined : excludes,
    tags: tags.length === 0 ? undefined : tags,
    program_version: programVersion,
    summary: summary === undefined ? undefined : encodeSummary(summary),
  });
}

const encodeSummary = ({ entries, bytes, bytesAdded }: SnapshotSummary) => ({
  total_files_processed: entries,
  total_bytes_processed: bytes,
  data_added_packed: bytesAdded,
});

const readSummary = (read: JsonReader): SnapshotSummary => ({
  entries: read.optionalCount('total_files_processed') ?? 0,
  bytes: read.optionalCount('total_bytes_processed') ?? 0,
  bytesAdded: read.optionalCount('data_added_packed') ?? 0,
});

/** Throws `RepositoryDamaged`. */
export function parseSnapshot(json: Uint8Array, about: string): Snapshot {
  const read = readJson(json, about);
  const time = new Date(read.text('time', 64));
  if (Number.isNaN(time.getTime())) failDamaged('A snapshot has no time', about);
  const parent = read.optionalText('parent', 64);
  const summary = read.optionalObject('summary');
  return {
    time,
    parent: parent === undefined ? undefined : assertId(parent, about),
    tree: assertId(read.text('tree', 64), about),
    paths: read.texts('paths'),
    hostname: read.optionalText('hostname') ?? '',
    username: read.optionalText('username') ?? '',
    uid: read.optionalCount('uid'),
    gid: read.optionalCount('gid'),
    tags: read.texts('tags'),
    excludes: read.texts('excludes'),
    programVersion: read.optionalText('program_version'),
    summary: summary === undefined ? undefined : readSummary(summary),
  };
}
