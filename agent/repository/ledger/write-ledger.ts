/**
 * Writes into a repository's ledger. Entries are numbered and written once, so of two writers of one number one takes the next: nothing is
 * lost and nobody waits. May be killed anywhere: a removal that was announced and not done is told as unfinished.
 */
import { StorkError } from '../../../kube/errors.ts';
import { idOf } from '../format/object-id.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import { putWithReserve } from '../locks/reserve.ts';
import type { RandomBytes, Repository } from '../repository.ts';
import { isMissing } from '../verify/read-document.ts';
import { encodeEntry, entryName, type Fact, factOf, type LedgerEntry } from './ledger-entry.ts';
import { listEntries } from './read-ledger.ts';

export interface LedgerWriter {
  readonly repository: Pick<Repository, 'store' | 'key'>;
  readonly randomBytes: RandomBytes;
}

type Change = Pick<LedgerEntry, 'added' | 'removing'>;

const attempts = 100;

/**
 * After the objects have appeared. Whoever forgot one of them meanwhile has said so before us, so each is looked at again.
 * @throws `LedgerBusy`; what the store throws
 */
export async function recordAdded(writer: LedgerWriter, added: readonly Fact[]): Promise<void> {
  if (added.length === 0) return;
  await append(writer, { added, removing: [] });
  const gone: Fact[] = [];
  for (const fact of added) if ((await writer.repository.store.sizeOf(fact.object)) === undefined) gone.push(fact);
  if (gone.length > 0) await append(writer, { added: [], removing: gone });
}

/** Before the first of them goes. @throws `LedgerBusy`; what the store throws: nothing may be removed then */
export async function recordRemoving(
  writer: LedgerWriter,
  objects: readonly string[],
  { time, why }: { readonly time: Date; readonly why: string },
): Promise<void> {
  if (objects.length === 0) return;
  await append(writer, { added: [], removing: objects.map((object) => factOf(object, time, why)) });
}

async function append(writer: LedgerWriter, change: Change): Promise<void> {
  // There we work as stock restic does: the collector, where names of ours are kept, takes in what it finds.
  if ((await writer.repository.store.privateNames?.()) === 'None') return;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const head = (await listEntries(writer.repository.store)).at(-1)?.number ?? 0;
    if (await putEntry(writer, head, { ...change, isSummary: false })) return;
  }
  throw new StorkError({
    code: 'LedgerBusy',
    message: `Others wrote into the repository's ledger ${attempts} times before we could`,
    hint: 'Run it again.',
    retryable: true,
  });
}

/**
 * Puts the entry after `head`.
 * @param head as it was listed. Its bytes are all that is needed: a damaged one keeps nobody from writing.
 * @returns false when somebody else took the number
 */
export async function putEntry(
  { repository: { store, key }, randomBytes }: LedgerWriter,
  head: number,
  change: Change & Pick<LedgerEntry, 'isSummary'>,
): Promise<boolean> {
  const number = head + 1;
  try {
    const previous = head === 0 ? undefined : idOf(await store.get(entryName(head)));
    const json = encodeEntry({ number, previous, ...change });
    await putWithReserve(store, entryName(number), sealDocument(key, json, randomBytes(ivBytes)));
    return true;
  } catch (error) {
    // Summed up, or written, by somebody else meanwhile.
    if (isMissing(error) || (error instanceof StorkError && error.code === 'ObjectExists')) return false;
    throw error;
  }
}
