/** What the ledger keeps of an object, for whoever has to find out what is gone. Pure. */
import type { Snapshot } from '../format/snapshot.ts';
import type { KeySlot } from '../keys/key-slots.ts';
import { type Fact, factOf } from './ledger-entry.ts';

export const snapshotFact = (id: string, { time, hostname, paths }: Snapshot): Fact =>
  factOf(`snapshots/${id}`, time, `of ${hostname}: ${paths.join(', ')}`);

/** @param now for a slot that does not say when it was made */
export function keySlotFact({ name, created, username, hostname, label, kdf }: KeySlot, now: Date): Fact {
  const made = new Date(created);
  const time = Number.isNaN(made.getTime()) ? now : made;
  return factOf(name, time, `${kdf} by ${username}@${hostname}${label === '' ? '' : `, ${label}`}`);
}
