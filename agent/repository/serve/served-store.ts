/**
 * What a served repository allows its clients, whatever they are: nothing is ever overwritten, and what is put was held against its name first;
 * append-only, nothing goes but locks; with a bound, nothing is put beyond it.
 */
import { StorkError } from '../../../kube/errors.ts';
import { idOf } from '../format/object-id.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { digestOf, restPathOf } from '../store/rest-protocol.ts';
import { storeFull } from '../store/store-error.ts';

export interface ServedStore extends Pick<ObjectStore, 'sizeOf' | 'read' | 'page' | 'list'> {
  /** @param digest what the sender says its SHA-256 is @throws `DigestWrong`, `ObjectExists`, `StoreFull` */
  put(name: string, bytes: Uint8Array, digest: string | undefined, signal: AbortSignal): Promise<void>;
  /** False when it was not there. @throws `AppendOnly` */
  remove(name: string, signal: AbortSignal): Promise<boolean>;
  /** @throws `StoreFull` when so many bytes more have no room */
  refuseBeyond(bytes: number, name: string): void;
}

export interface ServedRules {
  readonly removal: 'Allowed' | 'AppendOnly';
  /** Of all objects together; counted when serving begins, and what others put meanwhile is not seen. */
  readonly maxBytes: number | undefined;
}

export async function servedStore(store: ObjectStore, { removal, maxBytes }: ServedRules): Promise<ServedStore> {
  let usedBytes = maxBytes === undefined ? 0 : await countBytes(store);
  const refuseBeyond = (bytes: number, name: string): void => {
    if (maxBytes !== undefined && usedBytes + bytes > maxBytes)
      throw storeFull(name, new Error(`${usedBytes} of ${maxBytes} bytes are used`));
  };
  return {
    sizeOf: store.sizeOf,
    read: store.read,
    page: store.page,
    list: store.list,
    refuseBeyond,
    async put(name, bytes, digest, signal) {
      const found = idOf(bytes);
      const before = await store.sizeOf(name, signal);
      for (const wanted of [digestOf(name), digest])
        if (wanted !== undefined && wanted !== found) failDigest(name, before);
      if (before === undefined) refuseBeyond(bytes.length, name);
      // Before it is there, so that many at once don't pass the bound together.
      const added = before === undefined ? bytes.length : 0;
      usedBytes += added;
      try {
        await store.put(name, bytes, signal);
      } catch (error) {
        usedBytes -= added;
        throw error;
      }
    },
    async remove(name, signal) {
      if (removal === 'AppendOnly' && !name.startsWith('locks/')) failAppendOnly(name);
      const before = await store.sizeOf(name, signal);
      if (before === undefined) return false;
      await store.remove(name, signal);
      usedBytes -= before;
      return true;
    },
  };
}

async function countBytes(store: ObjectStore): Promise<number> {
  let bytes = 0;
  for await (const { name, sizeBytes } of store.list('')) if (restPathOf(name) !== undefined) bytes += sizeBytes;
  return bytes;
}

function failDigest(name: string, before: number | undefined): never {
  throw new StorkError({
    code: before === undefined ? 'DigestWrong' : 'ObjectExists',
    message:
      before === undefined ? 'The bytes are not those that the name or the digest says' : 'Another object is there',
    about: name,
    hint: 'Nothing was changed. Send the object as its name says.',
  });
}

function failAppendOnly(name: string): never {
  throw new StorkError({
    code: 'AppendOnly',
    message: 'This repository is served append-only: only locks can be removed',
    about: name,
    hint: 'Forget and prune where the repository lies.',
  });
}
