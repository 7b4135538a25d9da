/** Reads a repository's ledger from its store, and says what of it can't be relied on. */
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { idOf } from '../format/object-id.ts';
import { unsealDocument } from '../format/unpacked.ts';
import type { Repository } from '../repository.ts';
import type { StoredObject } from '../store/object-store.ts';
import { isDamage, isMissing, refuseOversized } from '../verify/read-document.ts';
import { againWhenReplaced } from '../verify/read-index.ts';
import { entryName, entryNumber, ledgerPrefix, parseEntry } from './ledger-entry.ts';
import { type EntryRead, type Replay, replayer } from './ledger-state.ts';

type Sealed = Pick<Repository, 'store' | 'key'>;

const readsAtOnce = 8;
const readAttempts = 3;

/** Never throws for what is damaged: `findings` name it, and the state is what the others tell. */
export async function readLedger(repository: Sealed, signal?: AbortSignal): Promise<Replay> {
  for (let attempt = 1; ; attempt++) {
    // An entry that went away was summed up meanwhile.
    const replay = await againWhenReplaced(() => readListed(repository, signal));
    // A directory that is listed while it grows may show the second of two new entries and not the first.
    if (attempt === readAttempts || !replay.findings.some(({ kind }) => kind === 'missing')) return replay;
  }
}

async function readListed(repository: Sealed, signal: AbortSignal | undefined): Promise<Replay> {
  const listed = await listEntries(repository.store, signal);
  const replay = replayer();
  for (let at = 0; at < listed.length; at += readsAtOnce) {
    const some = listed.slice(at, at + readsAtOnce);
    const reads = await mapLimit(some, readsAtOnce, (object) => readEntry(repository, object, signal), signal);
    for (const read of reads) replay.add(read);
  }
  return replay.end();
}

export interface ListedEntry extends Pick<StoredObject, 'name' | 'sizeBytes'> {
  readonly number: number;
}

/** The first first. */
export async function listEntries(store: Repository['store'], signal?: AbortSignal): Promise<readonly ListedEntry[]> {
  const entries: ListedEntry[] = [];
  for await (const { name, sizeBytes } of store.list(ledgerPrefix, signal)) {
    const number = entryNumber(name);
    if (number !== undefined) entries.push({ name, sizeBytes, number });
  }
  return entries.sort((left, right) => left.number - right.number);
}

async function readEntry(repository: Sealed, listed: ListedEntry, signal: AbortSignal | undefined): Promise<EntryRead> {
  const { number } = listed;
  const name = entryName(number);
  let digest = '';
  for (let attempt = 1; ; attempt++)
    try {
      refuseOversized(listed);
      const sealed = await repository.store.get(name, undefined, signal);
      digest = idOf(sealed);
      const entry = parseEntry(unsealDocument(repository.key, sealed, name), number, name);
      return { is: 'Entry', digest, entry };
    } catch (error) {
      if (isMissing(error) || !isDamage(error)) throw error;
      if (attempt === readAttempts) return { is: 'Damaged', digest, number, message: error.message };
    }
}
