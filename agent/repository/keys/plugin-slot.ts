/**
 * A key slot for a plug-in (key-plugin.ts): the master key, sealed with 64 random bytes that the plug-in wraps. So a KMS sees neither the
 * master key nor anything else that opens the repository without this slot.
 */
import { encodeMasterKey, readMasterKey, splitKey } from '../format/key-file.ts';
import type { JsonReader } from '../format/read-json.ts';
import { ivBytes, type RepositoryKey, seal, unseal } from '../format/seal.ts';
import type { RandomBytes } from '../repository.ts';
import { failDamaged } from '../repository-error.ts';
import type { KeyPlugin } from './key-plugin.ts';

const wrappingKeyBytes = 64;

/** What the slot's own fields are; its caller adds who made it. @throws `KeyPluginFailed` */
export async function wrapWithPlugin(master: RepositoryKey, plugin: KeyPlugin, randomBytes: RandomBytes) {
  const wrappingKey = Buffer.from(randomBytes(wrappingKeyBytes));
  const data = seal(splitKey(wrappingKey), encodeMasterKey(master), randomBytes(ivBytes));
  const wrapped = await plugin.wrap(wrappingKey);
  return {
    kdf: 'plugin',
    plugin: plugin.name,
    wrapped: wrapped.toString('base64'),
    data: data.toString('base64'),
  };
}

/** The master key, or undefined when the slot is another plug-in's or was altered. @throws `KeyPluginFailed`, `RepositoryDamaged` */
export async function openWithPlugin(
  slot: JsonReader,
  plugin: KeyPlugin,
  signal?: AbortSignal,
): Promise<RepositoryKey | undefined> {
  if (slot.text('plugin', 64) !== plugin.name) return undefined;
  const wrapped = Buffer.from(slot.text('wrapped'), 'base64');
  const data = Buffer.from(slot.text('data'), 'base64');
  if (wrapped.length === 0 || data.length === 0) return failDamaged('A key slot holds no key', slot.about);
  const wrappingKey = await plugin.unwrap(wrapped, signal);
  if (wrappingKey.length !== wrappingKeyBytes) return undefined;
  let json: Buffer;
  try {
    json = unseal(splitKey(wrappingKey), data, slot.about);
  } catch {
    return undefined;
  }
  return readMasterKey(json, slot.about);
}
