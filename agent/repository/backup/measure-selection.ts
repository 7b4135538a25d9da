/** Adds up, beside a first backup, what there is to read: nothing else can tell somebody who looks on how long it will take. */
import { lstatSync } from 'node:fs';
import type { Clock } from '../../../kube/clock.ts';
import { pathIn } from '../directory-fd.ts';
import { everyPath, type PathFilter } from '../select-paths.ts';
import { closeDirectory, type Selection, type WalkStep, walkDirectories } from './walk-directories.ts';

export interface SelectionSize {
  /** Of all regular files, each name of a hard link; undefined until all were looked at. */
  readonly bytes: number | undefined;
  stop(): void;
}

export interface MeasureOptions {
  readonly selection: Selection;
  readonly excludes?: PathFilter | undefined;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
}

/** Looking goes on for so long, then leaves the thread to the backup: a third of it at most. */
const [lookMs, restMs] = [2, 4];

/** Begins to look, a little at a time; what can't be read counts as nothing. Never throws: it is only for show. */
export function measureSelection({ selection, excludes = everyPath, clock }: MeasureOptions): SelectionSize {
  const steps = walkDirectories('/', selection, excludes);
  const open = new Set<number>();
  let sum = 0;
  let bytes: number | undefined;
  const take = (step: WalkStep) => {
    if (step.is === 'enter') open.add(step.directory);
    if (step.is === 'names') sum += sizeOfFiles(step);
    if (step.is === 'leave' && open.delete(step.directory)) closeDirectory(step.directory);
  };
  const look = () => {
    try {
      for (const until = clock.monotonicMs() + lookMs; clock.monotonicMs() < until; ) {
        const { value, done } = steps.next();
        if (done === true) {
          bytes = sum;
          return;
        }
        take(value);
      }
      next = clock.after(restMs, look);
    } catch {
      stop();
    }
  };
  const stop = () => {
    next[Symbol.dispose]();
    for (const directory of open) closeDirectory(directory);
    open.clear();
  };
  let next = clock.after(0, look);
  return {
    get bytes() {
      return bytes;
    },
    stop,
  };
}

function sizeOfFiles({ directory, names, isDirectory }: Extract<WalkStep, { is: 'names' }>): number {
  let bytes = 0;
  for (const [at, name] of names.entries()) {
    if (isDirectory[at] === true) continue;
    const stats = lstatSync(Buffer.from(pathIn(directory, name), 'latin1'), { throwIfNoEntry: false });
    if (stats?.isFile() === true) bytes += stats.size;
  }
  return bytes;
}
