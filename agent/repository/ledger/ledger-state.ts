/** What the entries of a ledger say together. Pure. */
import type { Finding } from '../verify/finding.ts';
import { entryName, type Fact, type LedgerEntry } from './ledger-entry.ts';

export interface LedgerState {
  /** By name: what was added, and nobody of ours meant to remove since. */
  readonly there: Map<string, Fact>;
  /** By name: what somebody of ours began to remove. */
  readonly removing: Map<string, Fact>;
}

/** Of an entry's object: what it says, or why that can't be known. */
export type EntryRead =
  | { readonly is: 'Entry'; readonly digest: string; readonly entry: LedgerEntry }
  | { readonly is: 'Damaged'; readonly digest: string; readonly number: number; readonly message: string };

export interface Replay {
  readonly state: LedgerState;
  /** Entries that count: the last summary, and those after it. */
  entries: number;
  /** Its number; 0 when there is no entry. */
  head: number;
  /** What is missing or altered among those that count. */
  findings: Finding[];
}

export const newReplay = (): Replay => ({
  state: { there: new Map(), removing: new Map() },
  entries: 0,
  head: 0,
  findings: [],
});

/** In the order of their numbers. A summary makes everything before it superfluous, and what was wrong with it. */
export function replayer() {
  let replay = newReplay();
  let last: { readonly digest: string; readonly isDamaged: boolean } | undefined;
  return {
    add(read: EntryRead): void {
      const number = read.is === 'Entry' ? read.entry.number : read.number;
      const isDamaged = read.is === 'Damaged';
      if (read.is === 'Entry' && read.entry.isSummary) replay = newReplay();
      else if (number !== replay.head + 1) replay.findings.push(gap(replay.head + 1, number));
      else if (read.is === 'Entry' && last?.isDamaged === false && read.entry.previous !== last.digest)
        replay.findings.push(replaced(replay.head));
      replay.entries++;
      replay.head = number;
      last = { digest: read.digest, isDamaged };
      if (read.is === 'Entry') apply(replay.state, read.entry);
      else replay.findings.push({ object: entryName(number), kind: 'altered', message: read.message });
    },
    end: (): Replay => replay,
  };
}

function apply({ there, removing }: LedgerState, entry: LedgerEntry): void {
  for (const fact of entry.added) {
    there.set(fact.object, fact);
    removing.delete(fact.object);
  }
  for (const fact of entry.removing) {
    there.delete(fact.object);
    removing.set(fact.object, fact);
  }
}

const gap = (first: number, next: number): Finding => ({
  object: entryName(first),
  kind: 'missing',
  message:
    next - first === 1
      ? 'This entry of the ledger is gone: what it told of may be gone unnoticed'
      : `${next - first} entries of the ledger from this one on are gone: what they told of may be gone unnoticed`,
});

const replaced = (number: number): Finding => ({
  object: entryName(number),
  kind: 'altered',
  message: 'Another entry of the ledger was here when the next one was written',
});

/** How long a removal is remembered: longer than any writer that was late to say that it had added the object. */
const rememberRemovalMs = 7 * 24 * 60 * 60 * 1000;

/** @param present names of all objects that are there */
export const summaryOf = (
  { there, removing }: LedgerState,
  present: ReadonlySet<string>,
  now: Date,
): Pick<LedgerEntry, 'added' | 'removing'> => ({
  added: [...there.values()],
  removing: [...removing.values()].filter(
    ({ object, time }) => present.has(object) || now.getTime() - time.getTime() < rememberRemovalMs,
  ),
});
