/** What is not there any more although it was added, and nobody of ours took it away: the ledger compared with what the store has. */
import { listRecorded } from '../ledger/keep-ledger.ts';
import { type Fact, ledgerPrefix } from '../ledger/ledger-entry.ts';
import { readLedger } from '../ledger/read-ledger.ts';
import type { Repository } from '../repository.ts';
import type { Finding } from './finding.ts';
import type { Roots } from './read-roots.ts';

export interface LedgerCheck {
  /** Certain: stock restic never touches these, and no command of ours removed them; or the ledger itself. */
  readonly damage: readonly Finding[];
  /** Stock restic may have removed these, which leaves no record. */
  readonly gone: readonly Finding[];
  readonly notes: readonly Finding[];
}

export async function checkLedger(
  repository: Repository,
  { snapshots }: Roots,
  signal?: AbortSignal,
): Promise<LedgerCheck> {
  // What appears after this and is recorded is looked for by name; what goes after this is in the ledger that is read last.
  const present = await listRecorded(repository.store, signal);
  const first = await readLedger(repository, signal);
  const isThere = async (name: string) =>
    present.has(name) || (await repository.store.sizeOf(name, signal)) !== undefined;
  const suspects: Fact[] = [];
  for (const fact of first.state.there.values()) if (!(await isThere(fact.object))) suspects.push(fact);
  const unfinished: Finding[] = [];
  for (const { object } of first.state.removing.values())
    if ((await isThere(object)) && (await repository.store.sizeOf(object, signal)) !== undefined)
      unfinished.push({
        object,
        kind: 'unfinished',
        message: 'Its removal was begun and did not end: remove it again',
      });
  const last = suspects.length === 0 ? first : await readLedger(repository, signal);
  const lost = suspects.filter(({ object }) => last.state.there.has(object));
  const unrecorded = snapshots.filter(
    ({ id, programVersion = '' }) =>
      programVersion.startsWith('stork ') &&
      !first.state.there.has(`snapshots/${id}`) &&
      !first.state.removing.has(`snapshots/${id}`),
  );
  const isHidden = (await repository.store.privateNames?.(signal)) === 'None';
  return {
    damage: [...last.findings, ...lost.filter(isOnlyOurs).map((fact) => tell(fact, 'missing'))],
    gone: [
      ...lost.filter((fact) => !isOnlyOurs(fact)).map((fact) => tell(fact, 'gone')),
      ...(last.head === 0 && unrecorded.length > 0 ? [isHidden ? hiddenLedger : noLedger] : []),
    ],
    notes: [...unfinished, ...(last.head === 0 ? [] : noteUnrecorded(unrecorded.map(({ id }) => id)))],
  };
}

/** Stock restic never looks below `stork/`. */
const isOnlyOurs = ({ object }: Fact): boolean => object.startsWith('stork/');

function tell({ object, time, what }: Fact, kind: 'gone' | 'missing'): Finding {
  const isKey = object.includes('keys/');
  const was = `${isKey ? 'A key slot' : object.startsWith('snapshots/') ? 'A restore point' : 'It'}${what === '' ? '' : ` (${what})`}, of ${time.toISOString()}`;
  const effect = isKey ? ' Whoever opened the repository with it no longer can.' : '';
  const restics = isKey ? 'restic key remove and passwd' : 'restic forget, tag and rewrite';
  const doubt = kind === 'gone' ? `; ${restics} would not say so` : '';
  return { object, kind, message: `${was}, is no longer there, and no command of ours removed it${doubt}.${effect}` };
}

/** A server that hides a ledger can't be told from one that has no place for it, so this is told as loudly. */
const hiddenLedger: Finding = {
  object: ledgerPrefix,
  kind: 'gone',
  message:
    'This server keeps no ledger, only what stock restic knows: which restore points and key slots should be here is not known',
};

const noLedger: Finding = {
  object: ledgerPrefix,
  kind: 'gone',
  message:
    'There is no ledger: which restore points and key slots should be here is not known. It was removed, or only earlier versions wrote here; `stork-agent prune` begins one',
};

const noteUnrecorded = (ids: readonly string[]): readonly Finding[] =>
  ids.slice(0, 1).map((id) => ({
    object: `snapshots/${id}`,
    kind: 'unrecorded',
    message: `The ledger does not know this restore point of ours${ids.length > 1 ? `, and ${ids.length - 1} more` : ''}: its writer was killed or is an earlier version, or the ledger's end was removed. \`stork-agent prune\` writes it down`,
  }));
