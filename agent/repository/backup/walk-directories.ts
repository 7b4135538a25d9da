/**
 * Walks directories depth first by open descriptors and says what is there, in pieces: a directory begins, some of its names, it ends.
 * A directory's own names come before the directories in it. Never follows a symlink.
 */
import { closeSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import type { ByteString } from '../../mover/syscalls.ts';
import { listIn, openDirectory, pathIn } from '../directory-fd.ts';
import type { PathFilter } from '../select-paths.ts';
import { nameQueue } from './name-queue.ts';

export type WalkStep =
  /** The directory stays open until `closeDirectory` of it is called. */
  | { readonly is: 'enter'; readonly name: ByteString; readonly directory: number }
  | {
      readonly is: 'names';
      readonly directory: number;
      readonly names: readonly ByteString[];
      readonly isDirectory: readonly boolean[];
      /** The directory has no other names, and no directory among these. */
      readonly isAll: boolean;
      /** All names of the directory, of whatever kind, are in this step. */
      readonly isOnly: boolean;
    }
  | { readonly is: 'leave'; readonly directory: number }
  /** A directory that can't be entered, or a selected name that isn't there: nothing of it follows. */
  | { readonly is: 'refused'; readonly name: ByteString; readonly code: string }
  /** The directory that was entered last can't be listed (to its end). */
  | { readonly is: 'unlistable'; readonly code: string };

/** Which names to take; everything below when undefined. */
export type Selection = ReadonlyMap<ByteString, Selection | undefined> | undefined;

/** Names of one step: enough that a message costs little, few enough that all threads have work. */
export const namesPerStep = 256;
/** A directory of so many names that has no others in it is one step. */
const wholePerStep = 512;

/** @param excludes what of the selection is left out */
export function* walkDirectories(root: string, selection: Selection, excludes: PathFilter): Generator<WalkStep> {
  yield* walkInto({ path: root, name: '', shown: '' }, selection, excludes);
}

interface Place {
  /** By its parent's descriptor. */
  readonly path: string;
  readonly name: ByteString;
  /** From the root. */
  readonly shown: ByteString;
}

function* walkInto({ path, name, shown }: Place, selection: Selection, excludes: PathFilter): Generator<WalkStep> {
  let directory: number;
  let found: readonly { name: ByteString; isDirectory: boolean }[];
  try {
    directory = openDirectory(path);
  } catch (error) {
    yield { is: 'refused', name, code: errnoOf(error) ?? String(error) };
    return;
  }
  yield { is: 'enter', name, directory };
  try {
    found = namesIn(directory, selection).filter((one) =>
      isIncluded(`${shown}/${one.name}`, one.isDirectory, excludes),
    );
  } catch (error) {
    yield { is: 'unlistable', code: errnoOf(error) ?? String(error) };
    found = [];
  }
  const present = new Set(selection === undefined ? [] : found.map((one) => one.name));
  for (const wanted of selection?.keys() ?? [])
    if (!present.has(wanted) && excludes.isMeant(`${shown}/${wanted}`))
      yield { is: 'refused', name: wanted, code: 'ENOENT' };
  const isAll = found.length <= wholePerStep && found.every((one) => !one.isDirectory);
  const perStep = isAll ? wholePerStep : namesPerStep;
  for (let at = 0; at < found.length; at += perStep) {
    const some = found.slice(at, at + perStep);
    yield {
      is: 'names',
      directory,
      names: some.map((one) => one.name),
      isDirectory: some.map((one) => one.isDirectory),
      isAll,
      isOnly: found.length <= perStep,
    };
  }
  // While what is below them is walked, the names lie packed.
  const inner = nameQueue();
  for (const one of found) if (one.isDirectory) inner.push({ name: one.name, word: '' });
  found = [];
  for (let one = inner.first()?.name; one !== undefined; inner.shift(), one = inner.first()?.name)
    yield* walkInto(
      { path: pathIn(directory, one), name: one, shown: `${shown}/${one}` },
      selection?.get(one),
      excludes,
    );
  yield { is: 'leave', directory };
}

const isIncluded = (path: ByteString, isDirectory: boolean, excludes: PathFilter): boolean =>
  isDirectory ? excludes.directory(path) !== 'not' : excludes.isMeant(path);

export const closeDirectory = (directory: number): void => closeSync(directory);

function namesIn(directory: number, selection: Selection) {
  return (
    listIn(directory)
      .filter(({ name }) => selection === undefined || selection.has(name))
      // Code units of byte strings are bytes: the order of bytes, as readers want it.
      .sort((left, right) => (left.name < right.name ? -1 : 1))
  );
}

/** What to take of `/` so that exactly these absolute paths are in it. */
export function selectPaths(paths: readonly ByteString[]): Selection {
  type Open = Map<ByteString, Open | undefined>;
  const root: Open = new Map();
  for (const path of paths) {
    const parts = path.split('/').filter((part) => part !== '');
    if (parts.length === 0) return undefined;
    let level = root;
    for (const [at, part] of parts.entries()) {
      const known = level.get(part);
      // Something above is taken whole already.
      if (level.has(part) && known === undefined) break;
      if (at === parts.length - 1) level.set(part, undefined);
      else {
        const below: Open = known ?? new Map();
        level.set(part, below);
        level = below;
      }
    }
  }
  return root;
}
