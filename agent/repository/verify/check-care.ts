/** Whether locks and what the collector keeps can be read: whoever can't read one of these stops. */
import { isId } from '../format/object-id.ts';
import { parseLock } from '../locks/lock-document.ts';
import { parseHolders, parseMark } from '../prune/marks.ts';
import type { Repository } from '../repository.ts';
import type { StoredObject } from '../store/object-store.ts';
import type { Finding } from './finding.ts';
import { isDamage, isMissing, readDocument, readSealed, refuseOversized } from './read-document.ts';

interface Kind {
  readonly prefix: string;
  readonly suffix: string;
  /** Throws `RepositoryDamaged`, `ObjectMissing`. */
  read(repository: Repository, name: string, id: string, signal: AbortSignal | undefined): Promise<unknown>;
  /** What its damage means. */
  readonly effect: string;
}

const kinds: readonly Kind[] = [
  {
    ...{ prefix: 'locks/', suffix: '' },
    read: async (repository, name, _, signal) => parseLock(await readDocument(repository, name, signal), name),
    effect: 'Nobody can say who holds this lock, so writers stop. Remove it when nothing works on the repository',
  },
  {
    ...{ prefix: 'stork/marks/', suffix: '' },
    read: async (repository, name, _, signal) => parseMark(await readDocument(repository, name, signal), name),
    effect: 'What is to be deleted is not known, so writers and prune stop. Remove it, and prune again',
  },
  {
    ...{ prefix: 'stork/waits/', suffix: '.json' },
    read: async (repository, name, id, signal) => parseHolders(await readSealed(repository, name, signal), id, name),
    effect: 'Whom to wait for is not known, so prune stops. Remove it: the next prune writes it again and waits longer',
  },
];

export async function checkCare(repository: Repository, signal?: AbortSignal): Promise<Finding[]> {
  const damage: Finding[] = [];
  for (const kind of kinds)
    for await (const object of repository.store.list(kind.prefix, signal)) {
      const finding = await checkOne(repository, kind, object, signal);
      if (finding !== undefined) damage.push(finding);
    }
  return damage;
}

async function checkOne(
  repository: Repository,
  { prefix, suffix, read, effect }: Kind,
  object: StoredObject,
  signal: AbortSignal | undefined,
): Promise<Finding | undefined> {
  const { name } = object;
  const id = name.slice(prefix.length, name.length - suffix.length);
  if (!isId(id) || !name.endsWith(suffix)) return undefined;
  try {
    refuseOversized(object);
    await read(repository, name, id, signal);
    return undefined;
  } catch (error) {
    // Given back, or done, since it was listed.
    if (isMissing(error)) return undefined;
    if (!isDamage(error)) throw error;
    return { object: name, kind: 'altered', message: `${effect}. ${error.message}` };
  }
}
