/** What somebody has to open a repository with, and whether a key slot opens with it. */
import { openKeyFile } from '../format/key-file.ts';
import { readJson } from '../format/read-json.ts';
import type { RepositoryKey } from '../format/seal.ts';
import { failRepository } from '../repository-error.ts';
import { openForIdentities } from './age-slot.ts';
import type { KeyPlugin } from './key-plugin.ts';
import { openWithPlugin } from './plugin-slot.ts';

export type Unlock =
  | { readonly by: 'Passphrase'; readonly passphrase: string }
  /** Of age, as its files hold them. */
  | { readonly by: 'Identities'; readonly identities: readonly string[] }
  | { readonly by: 'Plugin'; readonly plugin: KeyPlugin };

export const byPassphrase = (passphrase: string) => ({ by: 'Passphrase', passphrase }) as const;

/** For people. */
export const describeUnlock: Readonly<Record<Unlock['by'], string>> = {
  Passphrase: 'password',
  Identities: 'identity',
  Plugin: 'key plug-in',
};

/**
 * The master key; undefined when the slot is for something else, or for another of the same kind.
 * Throws `RepositoryDamaged`, `KeyPluginFailed`, `KeySlotUnknown` for what no version up to this one writes.
 */
export async function openSlot(
  bytes: Uint8Array,
  unlock: Unlock,
  about: string,
  signal?: AbortSignal,
): Promise<RepositoryKey | undefined> {
  const slot = readJson(bytes, about);
  const kind = slot.text('kdf', 32);
  switch (kind) {
    case 'scrypt':
      return unlock.by === 'Passphrase' ? await openKeyFile(bytes, unlock.passphrase, about) : undefined;
    case 'age':
      return unlock.by === 'Identities' ? await openForIdentities(slot, unlock.identities) : undefined;
    case 'plugin':
      return unlock.by === 'Plugin' ? await openWithPlugin(slot, unlock.plugin, signal) : undefined;
    default:
      return failRepository(
        'KeySlotUnknown',
        `This version knows no key slots of kind ${JSON.stringify(kind)}`,
        about,
        'Use a newer stork-agent, or another key slot.',
      );
  }
}
