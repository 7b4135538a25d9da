/**
 * Tells when small files hold something else than before. Looked at again and again, as what replaces files (a symlink of a mounted Secret, a
 * rename) is no event of the file that was there.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Clock } from '../../../kube/clock.ts';

export interface WatchedContents {
  /** Looks every `everyMs`; the first time, too, at what changed since {@link watchContents} was called. */
  tell(changed: () => void, options: { readonly clock: Pick<Clock, 'after'>; readonly everyMs: number }): Disposable;
}

/** Looks once, now. @param files one that can't be read counts as empty */
export function watchContents(files: readonly string[]): WatchedContents {
  let seen = digestOf(files);
  return {
    tell(changed, { clock, everyMs }) {
      let next: Disposable;
      const lookLater = () => {
        next = clock.after(everyMs, () => {
          const now = digestOf(files);
          const isChanged = now !== seen;
          seen = now;
          lookLater();
          if (isChanged) changed();
        });
      };
      lookLater();
      return { [Symbol.dispose]: () => next[Symbol.dispose]() };
    },
  };
}

function digestOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(createHash('sha256').update(readOr(file)).digest());
  return hash.digest('hex');
}

function readOr(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch {
    return new Uint8Array(0);
  }
}
