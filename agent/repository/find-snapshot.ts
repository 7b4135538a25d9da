/** Which restore point a person means: `latest`, or the beginning of an id, with a path in it perhaps. Pure. */
import type { StoredSnapshot } from './repository.ts';
import { failRepository } from './repository-error.ts';

/** Only restore points of these; all when empty. */
export interface SnapshotFilter {
  readonly hosts: readonly string[];
  readonly paths: readonly string[];
  readonly tags: readonly string[];
}

export const matchesSnapshot = (snapshot: StoredSnapshot, { hosts, paths, tags }: SnapshotFilter): boolean =>
  (hosts.length === 0 || hosts.includes(snapshot.hostname)) &&
  paths.every((path) => snapshot.paths.includes(path)) &&
  tags.every((tag) => snapshot.tags.includes(tag));

/**
 * @param snapshots oldest first
 * @throws `SnapshotMissing`, `SnapshotAmbiguous`
 */
export function findSnapshot(
  snapshots: readonly StoredSnapshot[],
  word: string,
  filter: SnapshotFilter = { hosts: [], paths: [], tags: [] },
): StoredSnapshot {
  if (word === 'latest') {
    const latest = snapshots.filter((one) => matchesSnapshot(one, filter)).at(-1);
    return latest ?? failMissing('The repository has no such restore point', word);
  }
  const found = /^[0-9a-f]{4,64}$/.test(word) ? snapshots.filter(({ id }) => id.startsWith(word)) : [];
  if (found.length > 1)
    failRepository(
      'SnapshotAmbiguous',
      `${found.length} restore points begin with ${word}`,
      word,
      'Write more of its id.',
    );
  return found[0] ?? failMissing(`No restore point is called ${word}`, word);
}

const failMissing = (message: string, about: string): never =>
  failRepository(
    'SnapshotMissing',
    message,
    about,
    '`stork-agent list` shows those there are; `latest` is the newest.',
  );

/** `ID:/path` in its parts; the path is '' when there is none. */
export function splitSnapshotPath(word: string): { readonly snapshot: string; readonly path: string } {
  const at = word.indexOf(':');
  return at < 0 ? { snapshot: word, path: '' } : { snapshot: word.slice(0, at), path: word.slice(at + 1) };
}

/** The newest of the same host and paths: what it has and is unchanged is not read again. */
export function decideParent(
  snapshots: readonly StoredSnapshot[],
  of: { readonly hostname: string; readonly paths: readonly string[] },
): StoredSnapshot | undefined {
  const wanted = [...of.paths].sort().join('\0');
  return snapshots.findLast(
    ({ hostname, paths }) => hostname === of.hostname && [...paths].sort().join('\0') === wanted,
  );
}
