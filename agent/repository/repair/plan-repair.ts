/** What can be made good again of what verify found. Pure. */
import { ledgerPrefix } from '../ledger/ledger-entry.ts';
import type { Finding, VerifyReport } from '../verify/finding.ts';

export interface RepairPlan {
  /** Packs that no index names: their own headers say what is in them. */
  readonly indexAgain: readonly string[];
  /** Packs that are there and damaged: blobs that can still be proven move into new packs. */
  readonly salvage: readonly string[];
  /** Packs that the index shall no longer name, so that the next backup stores their blobs again: `salvage`, and those that are missing. */
  readonly forgetPacks: readonly string[];
  /** Index objects that can't be read; a copy is kept aside. */
  readonly setAside: readonly string[];
  /** The ledger is made anew of what can be read of it and what is there. What was gone by then and in no readable entry stays unknown. */
  readonly ledger: 'MadeAnew' | 'Kept';
  /** What no repair can bring back. */
  readonly beyondRepair: readonly Finding[];
}

export function planRepair({ damage, notes }: Pick<VerifyReport, 'damage' | 'notes'>): RepairPlan {
  const isPack = ({ object }: Finding) => object.startsWith('data/');
  const idOf = ({ object }: Finding) => object.slice(object.lastIndexOf('/') + 1);
  const unindexed = new Set([...damage, ...notes].filter(({ kind }) => kind === 'unindexed').map(idOf));
  const hurt = damage.filter((finding) => isPack(finding) && finding.kind !== 'unindexed');
  return {
    indexAgain: [...unindexed],
    salvage: hurt.filter(({ kind }) => kind !== 'missing').map(idOf),
    forgetPacks: hurt.map(idOf),
    setAside: damage.filter(({ object }) => object.startsWith('index/')).map(({ object }) => object),
    ledger: damage.some(isOfLedger) ? 'MadeAnew' : 'Kept',
    beyondRepair: damage.filter((finding) => !/^(data|index)\//.test(finding.object) && !isOfLedger(finding)),
  };
}

const isOfLedger = ({ object }: Finding): boolean => object.startsWith(ledgerPrefix);

export const hasWork = ({ indexAgain, forgetPacks, setAside, ledger }: RepairPlan): boolean =>
  indexAgain.length + forgetPacks.length + setAside.length > 0 || ledger === 'MadeAnew';
