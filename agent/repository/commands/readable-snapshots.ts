/** Restore points for commands that only read or add: one whose object is damaged must not keep the others from being used. */
import { StorkError } from '../../../kube/errors.ts';
import type { OnDamage, StoredSnapshot } from '../repository.ts';
import { readSnapshotDocuments, type SnapshotDocument } from '../verify/read-roots.ts';
import type { CareRun } from './care-arguments.ts';

/** Tells of an object that can't be read, and that the command goes on. */
export const warnOfDamage =
  ({ warn }: Pick<CareRun, 'warn'>): OnDamage =>
  (name, { message }) =>
    warn(`${name}: ${message}; \`stork-agent verify\` says what is concerned`);

/** Oldest first; those that can't be read are named. */
export async function readableSnapshots(
  care: Pick<CareRun, 'context' | 'warn'>,
): Promise<{ readonly snapshots: readonly StoredSnapshot[]; readonly damaged: readonly string[] }> {
  const { repository, signal } = care.context;
  const { damaged, onDamage } = named(care);
  return { snapshots: await repository.snapshots(signal, onDamage), damaged };
}

/** As `readableSnapshots`, with their texts. */
export async function readableDocuments(
  care: Pick<CareRun, 'context' | 'warn'>,
): Promise<{ readonly documents: readonly SnapshotDocument[]; readonly damaged: readonly string[] }> {
  const { repository, signal } = care.context;
  const { damaged, onDamage } = named(care);
  return { documents: await readSnapshotDocuments(repository, { signal, onDamage }), damaged };
}

function named(care: Pick<CareRun, 'warn'>): { readonly damaged: readonly string[]; readonly onDamage: OnDamage } {
  const damaged: string[] = [];
  const onDamage: OnDamage = (name, error) => {
    damaged.push(name);
    warnOfDamage(care)(name, error);
  };
  return { damaged, onDamage };
}

/**
 * The newest that can be read may not be the newest: nobody is given an older state than they asked for.
 * @param wayOut what else the command offers
 */
export function refuseUnknownLatest(word: string, damaged: readonly string[], wayOut = ''): void {
  if (word !== 'latest' || damaged.length === 0) return;
  throw new StorkError({
    code: 'RepositoryDamaged',
    message: `Which restore point is the latest is not known: ${damaged.length} can't be read`,
    about: damaged[0],
    hint: `Name one by its id (\`stork-agent list\`)${wayOut}.`,
  });
}
