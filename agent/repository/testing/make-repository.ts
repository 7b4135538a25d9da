/** For tests: a repository without a key slot, so that no test waits for scrypt. */
import { randomBytes } from 'node:crypto';
import { encodeConfig, newConfig } from '../format/config.ts';
import { ivBytes, type RepositoryKey, seal } from '../format/seal.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Open it with `openWithKey`. */
export async function makeRepository(store: ObjectStore, key: RepositoryKey): Promise<void> {
  await store.put('config', seal(key, Buffer.from(encodeConfig(newConfig(randomBytes))), randomBytes(ivBytes)));
}
