/**
 * Ways to open a repository, each of which wraps the same master key: passphrases, recipients of age, plug-ins that ask a KMS. Ours lie
 * under `stork/keys/`; those under `keys/` are restic's own, so that stock restic opens the repository too (break-glass). A slot is proven
 * to open before an older one goes.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';
import { encodeKeyFile, type KeySlotOwner } from '../format/key-file.ts';
import { idOf, isId } from '../format/object-id.ts';
import { readJson } from '../format/read-json.ts';
import type { RepositoryKey } from '../format/seal.ts';
import { keySlotFact } from '../ledger/describe-recorded.ts';
import { type LedgerWriter, recordAdded, recordRemoving } from '../ledger/write-ledger.ts';
import type { RandomBytes, Repository } from '../repository.ts';
import { failRepository } from '../repository-error.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { isDamage, readNamed } from '../verify/read-document.ts';
import { wrapForRecipients } from './age-slot.ts';
import type { KeyPlugin } from './key-plugin.ts';
import { wrapWithPlugin } from './plugin-slot.ts';
import { openSlot, type Unlock } from './unlock.ts';

export type KeySlotKind = 'ours' | 'restic';

export const keyPrefixes: Readonly<Record<KeySlotKind, string>> = { ours: 'stork/keys/', restic: 'keys/' };

export interface KeySlot {
  readonly name: string;
  readonly id: string;
  readonly kind: KeySlotKind;
  /** Undefined: its bytes are damaged, it opens nothing. */
  readonly bytes: Buffer | undefined;
  readonly created: string;
  readonly username: string;
  readonly hostname: string;
  readonly label: string;
  /** What it is opened with: `scrypt` for passphrases, `age`, `plugin`; '' when it is damaged. */
  readonly kdf: string;
  /** Of age. */
  readonly recipients: readonly string[];
  /** The name of a plug-in. */
  readonly plugin: string;
}

const undescribed = {
  created: '',
  username: '',
  hostname: '',
  label: '',
  kdf: '',
  recipients: [],
  plugin: '',
} as const;

export async function listKeySlots(store: ObjectStore, signal?: AbortSignal): Promise<readonly KeySlot[]> {
  const slots: KeySlot[] = [];
  for (const kind of ['ours', 'restic'] as const)
    for await (const { name } of store.list(keyPrefixes[kind], signal)) {
      const id = name.slice(keyPrefixes[kind].length);
      if (isId(id)) slots.push(await readSlot(store, { name, id, kind }, signal));
    }
  return slots;
}

async function readSlot(
  store: ObjectStore,
  slot: Pick<KeySlot, 'name' | 'id' | 'kind'>,
  signal: AbortSignal | undefined,
): Promise<KeySlot> {
  try {
    const bytes = await readNamed(store, slot.name, signal);
    const read = readJson(bytes, slot.name);
    const text = (field: string) => read.optionalText(field, 1024) ?? '';
    return {
      ...slot,
      bytes,
      ...{ created: text('created'), username: text('username'), hostname: text('hostname'), label: text('label') },
      ...{ kdf: text('kdf'), recipients: read.texts('recipients'), plugin: text('plugin') },
    };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { ...slot, bytes: undefined, ...undescribed };
  }
}

/**
 * The first slot that opens, ours before those of restic. One that is damaged or of a later kind opens nothing.
 * @throws `KeyPluginFailed` when no slot opens and a plug-in could not be asked about one
 */
export async function findKeySlot(
  store: ObjectStore,
  unlock: Unlock,
  signal?: AbortSignal,
): Promise<{ readonly slot: KeySlot; readonly key: RepositoryKey } | undefined> {
  let failure: unknown;
  for (const slot of await listKeySlots(store, signal))
    try {
      const key = slot.bytes === undefined ? undefined : await openSlot(slot.bytes, unlock, slot.name, signal);
      if (key !== undefined) return { slot, key };
    } catch (error) {
      const opensNothing = error instanceof StorkError && ['RepositoryDamaged', 'KeySlotUnknown'].includes(error.code);
      if (!opensNothing) failure ??= error;
    }
  if (failure !== undefined) throw failure;
  return undefined;
}

/** What a new slot wraps the master key with. */
export type Wrapping =
  | { readonly by: 'Passphrase'; readonly passphrase: string }
  /** `age1…`; nobody here can prove that their holders can open it. */
  | { readonly by: 'Recipients'; readonly recipients: readonly string[] }
  | { readonly by: 'Plugin'; readonly plugin: KeyPlugin };

export interface NewKeySlot {
  /** Those of restic take passphrases only. */
  readonly kind: KeySlotKind;
  readonly wrapping: Wrapping;
  readonly label: string;
  readonly owner: KeySlotOwner;
}

/**
 * The new slot, read back; one that can be opened here (any but those for recipients) is proven to open the repository.
 * @throws `PassphraseEmpty`, `RecipientInvalid`, `KeyPluginFailed`, `KeySlotUnproven`; nothing is left then
 */
export async function addKeySlot(
  repository: Pick<Repository, 'store' | 'key'>,
  wanted: NewKeySlot,
  randomBytes: RandomBytes,
): Promise<KeySlot> {
  const { store, key } = repository;
  const { kind } = wanted;
  const bytes = Buffer.from(await encodeSlot(key, wanted, randomBytes));
  const id = idOf(bytes);
  const name = `${keyPrefixes[kind]}${id}`;
  await store.put(name, bytes);
  const slot = await readSlot(store, { name, id, kind }, undefined);
  try {
    if (await isProven(slot, wanted.wrapping, key)) {
      await recordAdded({ repository, randomBytes }, [keySlotFact(slot, wanted.owner.created)]);
      return slot;
    }
  } catch (error) {
    await store.remove(name);
    throw error;
  }
  await store.remove(name);
  return failRepository('KeySlotUnproven', 'The new key slot did not open the repository when it was read back', name);
}

async function isProven({ bytes, name }: KeySlot, wrapping: Wrapping, key: RepositoryKey): Promise<boolean> {
  const unlock = unlockOf(wrapping);
  if (bytes === undefined || unlock === undefined) return bytes !== undefined;
  const opened = await openSlot(bytes, unlock, name);
  return opened !== undefined && isSameKey(opened, key);
}

/** Undefined: who wraps can't open. */
function unlockOf(wrapping: Wrapping): Unlock | undefined {
  return wrapping.by === 'Recipients' ? undefined : wrapping;
}

async function encodeSlot(
  key: RepositoryKey,
  { kind, wrapping, label, owner }: NewKeySlot,
  randomBytes: RandomBytes,
): Promise<string> {
  switch (wrapping.by) {
    case 'Passphrase': {
      if (wrapping.passphrase === '') failEmpty();
      const encoded = encodeKeyFile(key, wrapping.passphrase, owner, randomBytes);
      // restic ignores fields that it doesn't know, but its slots stay as it writes them.
      return kind === 'restic' ? encoded : JSON.stringify({ ...JSON.parse(encoded), label });
    }
    case 'Recipients': {
      const fields = await wrapForRecipients(key, wrapping.recipients);
      return JSON.stringify({ ...owner, label, ...fields });
    }
    case 'Plugin': {
      const fields = await wrapWithPlugin(key, wrapping.plugin, randomBytes);
      return JSON.stringify({ ...owner, label, ...fields });
    }
    default:
      return wrapping satisfies never;
  }
}

const failEmpty = (): never =>
  failRepository(
    'PassphraseEmpty',
    'A passphrase must not be empty',
    undefined,
    'Put it into the first line of the file.',
  );

const isSameKey = (left: RepositoryKey, right: RepositoryKey): boolean =>
  timingSafeEqual(
    Buffer.concat([left.encrypt, left.macK, left.macR]),
    Buffer.concat([right.encrypt, right.macK, right.macR]),
  );

export interface RemovalRules {
  /** Without a slot of restic's, stock restic can't open the repository any more. */
  readonly lastOfRestic: 'Refused' | 'Allowed';
}

export interface SlotRemover extends LedgerWriter {
  readonly clock: Pick<Clock, 'now'>;
}

/** @throws `LastKeySlot`, `LastResticKeySlot`; nothing is changed then */
export async function removeKeySlot(
  remover: SlotRemover,
  slot: KeySlot,
  { lastOfRestic }: RemovalRules,
): Promise<void> {
  const { store } = remover.repository;
  const others = (await listKeySlots(store)).filter(({ name, bytes }) => name !== slot.name && bytes !== undefined);
  if (others.length === 0)
    throw refusal('LastKeySlot', 'This is the last key slot: without it nobody can read the repository', slot);
  const isLastOfRestic = slot.kind === 'restic' && !others.some(({ kind }) => kind === 'restic');
  if (isLastOfRestic && lastOfRestic === 'Refused')
    throw refusal(
      'LastResticKeySlot',
      "This is restic's last key slot: without it stock restic can't open the repository",
      slot,
    );
  const now = remover.clock.now();
  await recordRemoving(remover, [slot.name], { time: now, why: 'removed' });
  await store.remove(slot.name);
  // Somebody may have removed another one at the same moment.
  const left = (await listKeySlots(store)).filter(({ bytes }) => bytes !== undefined);
  if (left.length > 0 || slot.bytes === undefined) return;
  await store.put(slot.name, slot.bytes);
  await recordAdded(remover, [keySlotFact(slot, now)]);
  throw refusal('LastKeySlot', 'This has become the last key slot: it was put back', slot);
}

const refusal = (code: string, message: string, { name }: KeySlot): StorkError =>
  new StorkError({
    code,
    message,
    about: name,
    hint:
      code === 'LastKeySlot'
        ? 'Add another first: `stork-agent key add`.'
        : 'Add another with `stork-agent key add --restic`, or say that it is meant with --allow-no-restic-key.',
  });

/** Another passphrase instead of a slot: the new slot first, proven, then the old one goes. */
export async function rotateKeySlot(
  remover: SlotRemover,
  old: KeySlot,
  change: Omit<NewKeySlot, 'kind'>,
): Promise<KeySlot> {
  const slot = await addKeySlot(remover.repository, { ...change, kind: old.kind }, remover.randomBytes);
  await removeKeySlot(remover, old, { lastOfRestic: 'Refused' });
  return slot;
}
