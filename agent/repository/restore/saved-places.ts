/** Which directories of a snapshot were saved, and which are only on the way to what was: those must never lose anything. */
import type { ByteString } from '../../mover/syscalls.ts';

/** @param path within the snapshot, begins with `/`; '' is its root */
export type IsSaved = (path: ByteString) => boolean;

/**
 * @param paths the snapshot's own list
 * @param topNames what the snapshot's root holds
 */
export function savedPlaces(paths: readonly string[], topNames: ReadonlySet<ByteString>): IsSaved {
  const saved = paths.map((path) => Buffer.from(path, 'utf8').toString('latin1').replace(/\/+$/, ''));
  const isBelowRoot = saved.every((path) => topNames.has(path.split('/')[1] ?? '') || path === '');
  if (isBelowRoot) return (path) => saved.some((one) => path === one || path.startsWith(`${one}/`));
  // restic saves relative paths without what is above them: `/home/x/a/b` may lie at `/a/b`.
  return (path) => saved.some((one) => prefixesOf(path).some((prefix) => isTailOf(prefix, one)));
}

function prefixesOf(path: ByteString): readonly ByteString[] {
  const parts = path.split('/').slice(1);
  return parts.map((_, at) => `/${parts.slice(0, at + 1).join('/')}`);
}

/** Not when it could be the one or the other of two equal names: then nothing is known. */
const isTailOf = (tail: ByteString, path: ByteString): boolean =>
  path.endsWith(tail) && !path.slice(0, -tail.length).endsWith(tail);
