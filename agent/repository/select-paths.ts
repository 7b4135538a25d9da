/**
 * Which paths of a snapshot or a disk are meant. A pattern that begins with `/` is a path from the root, any other matches names or ends
 * of paths anywhere; `*` and `?` stay within one name. What a pattern matches is meant with everything below.
 */
import type { ByteString } from '../mover/syscalls.ts';

/**
 * Of a directory. `whole`: with everything below. `part`: itself, but not all below. `inside`: only what may be meant below.
 */
export type DirectoryChoice = 'whole' | 'part' | 'inside' | 'not';

/** Paths begin with `/`; '' is the root. */
export interface PathFilter {
  /** Of anything but a directory. */
  isMeant(path: ByteString): boolean;
  directory(path: ByteString): DirectoryChoice;
}

/** @param include everything when empty */
export function pathFilter(include: readonly ByteString[], exclude: readonly ByteString[]): PathFilter {
  if (include.length === 0 && exclude.length === 0) return everyPath;
  const included = include.map(parsePattern);
  const excluded = exclude.map(parsePattern);
  const isExcluded = (parts: readonly string[]) => excluded.some((pattern) => matchPattern(pattern, parts) === 'whole');
  const inclusionOf = (parts: readonly string[]): 'whole' | 'inside' | 'not' => {
    if (included.length === 0) return 'whole';
    const found = included.map((pattern) => matchPattern(pattern, parts));
    if (found.includes('whole')) return 'whole';
    return found.includes('inside') ? 'inside' : 'not';
  };
  return {
    isMeant(path) {
      const parts = partsOf(path);
      return inclusionOf(parts) === 'whole' && !isExcluded(parts);
    },
    directory(path) {
      const parts = partsOf(path);
      if (isExcluded(parts)) return 'not';
      const choice = inclusionOf(parts);
      return choice === 'whole' && excluded.length > 0 ? 'part' : choice;
    },
  };
}

const partsOf = (path: ByteString): readonly string[] => path.split('/').filter((part) => part !== '');

export const everyPath: PathFilter = { isMeant: () => true, directory: () => 'whole' };

/** Without one path and everything below it, whatever characters it has. */
export const leavingOut = (filter: PathFilter, path: ByteString): PathFilter => ({
  isMeant: (one) => one !== path && filter.isMeant(one),
  directory(one) {
    if (one === path) return 'not';
    const choice = filter.directory(one);
    return choice === 'whole' && path.startsWith(`${one}/`) ? 'part' : choice;
  },
});

interface Pattern {
  readonly isAbsolute: boolean;
  readonly parts: readonly RegExp[];
}

function parsePattern(text: ByteString): Pattern {
  return { isAbsolute: text.startsWith('/'), parts: partsOf(text).map(nameExpression) };
}

const nameExpression = (text: string): RegExp =>
  new RegExp(
    `^${text
      .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    's',
  );

function matchPattern({ isAbsolute, parts: wanted }: Pattern, parts: readonly string[]): 'whole' | 'inside' | 'not' {
  const last = isAbsolute ? 0 : Math.max(0, parts.length - wanted.length);
  for (let start = 0; start <= last; start++) {
    const shared = Math.min(wanted.length, parts.length - start);
    const isMatch = wanted.slice(0, shared).every((expression, at) => expression.test(parts[start + at] ?? ''));
    if (isMatch && shared === wanted.length) return 'whole';
    if (isMatch && isAbsolute) return 'inside';
  }
  return isAbsolute ? 'not' : 'inside';
}
