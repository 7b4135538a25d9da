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

export interface CareCheck {
  readonly damage: readonly Finding[];
  readonly notes: readonly Finding[];
}

export async function checkCare(repository: Repository, signal?: AbortSignal): Promise<CareCheck> {
  const damage: Finding[] = [];
  for (const kind of kinds)
    for await (const object of repository.store.list(kind.prefix, signal)) {
      const finding = await checkOne(repository, kind, object, signal);
      if (finding !== undefined) damage.push(finding);
    }
  const { orphans, bare } = await checkPairs(repository, signal);
  return { damage: [...damage, ...orphans], notes: bare };
}

/**
 * A mark and its waits come in this order and go in the other, so waits without a mark tell that somebody deleted the mark. A mark without
 * waits tells of deleted waits, or of a collector that was killed.
 */
async function checkPairs({ store }: Repository, signal: AbortSignal | undefined) {
  const orphans: Finding[] = [];
  const bare: Finding[] = [];
  for (const { name, other } of await namesOf(store, 'stork/waits/', signal))
    if ((await isMissingFrom(store, other, signal)) && !(await isMissingFrom(store, name, signal)))
      orphans.push({ object: other, kind: 'missing', message: `It has waits (${name}) and is not there. ${markGone}` });
  for (const { name, other } of await namesOf(store, 'stork/marks/', signal))
    if ((await isMissingFrom(store, other, signal)) && !(await isMissingFrom(store, name, signal)))
      bare.push({ object: other, kind: 'missing', message: `It belongs to ${name}. ${waitsGone}` });
  return { orphans, bare };
}

const markGone = 'Somebody deleted it. What it named is marked again by the next prune, which removes the waits';
const waitsGone = 'A prune was killed before it wrote it, or somebody deleted it; the next prune writes it again';

const isMissingFrom = async (store: Repository['store'], name: string, signal: AbortSignal | undefined) =>
  (await store.sizeOf(name, signal)) === undefined;

/** Of marks, or of waits: the name, and that of the other half. */
async function namesOf(store: Repository['store'], prefix: 'stork/marks/' | 'stork/waits/', signal?: AbortSignal) {
  const names: { readonly name: string; readonly other: string }[] = [];
  for await (const { name } of store.list(prefix, signal)) {
    const id = name.slice(prefix.length).replace(/\.json$/, '');
    const other = prefix === 'stork/marks/' ? `stork/waits/${id}.json` : `stork/marks/${id}`;
    if (isId(id)) names.push({ name, other });
  }
  return names;
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
