/** An object under `snapshots/`: its appearance makes a restore point. Source: "Snapshots" of restic's design document. */
import { failDamaged } from '../repository-error.ts';
import { assertId } from './object-id.ts';
import { readJson } from './read-json.ts';

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
}

export function encodeSnapshot(snapshot: Snapshot): string {
  const { time, parent, tree, paths, hostname, username, uid, gid, tags, excludes, programVersion } = snapshot;
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
  });
}

/** Throws `RepositoryDamaged`. */
export function parseSnapshot(json: Uint8Array, about: string): Snapshot {
  const read = readJson(json, about);
  const time = new Date(read.text('time', 64));
  if (Number.isNaN(time.getTime())) failDamaged('A snapshot has no time', about);
  const parent = read.optionalText('parent', 64);
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
  };
}
