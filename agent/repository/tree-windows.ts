/**
 * Reads tree blobs together with what lies around them: a writer packs the trees of neighbouring directories one after the other, so
 * whoever walks a snapshot asks a store once for hundreds of them. Each blob is proven as ever; what a window can't give is asked for
 * by itself.
 */
import type { BlobLocation, BlobLocations } from './blob-locations.ts';
import { smallBlobOpener } from './format/open-small.ts';
import { unsealBlob } from './format/pack.ts';
import type { RepositoryKey } from './format/seal.ts';
import { packName, type Repository } from './repository.ts';
import { isDamage } from './verify/read-document.ts';

/** Bytes around a tree that are cheaper to read than to ask for. */
const leastBytes = 64 * 1024;
const mostBytes = 1024 * 1024;
const windowsKept = 4;
/** Trees may lie among other blobs, or far from each other: no more than so many times what was asked for is read for nothing. */
const readPerAsked = 4;

interface Window {
  readonly pack: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** The repository for one walk over trees. Keeps up to 4 MiB. */
export function withTreeWindows(repository: Repository, locations: BlobLocations): Repository {
  /** Latest used last. */
  const windows: Window[] = [];
  let asked = 0;
  let read = 0;
  const fetchAround = async ({ pack, offset, length }: BlobLocation, signal: AbortSignal | undefined) => {
    const bounds = { least: Math.max(leastBytes, length), endOfPack: locations.endOf(pack) };
    const range = planWindow({ offset, length }, { ...bounds, wanted: readPerAsked * asked - read });
    const bytes = await repository.store.get(packName(pack), range, signal);
    read += bytes.length;
    windows.push({ pack, offset: range.offset, bytes });
    if (windows.length > windowsKept) windows.shift();
  };
  const sealed = ({ pack, offset, length }: BlobLocation): Uint8Array | undefined => {
    const at = windows.findLastIndex(
      (one) => one.pack === pack && one.offset <= offset && offset + length <= one.offset + one.bytes.length,
    );
    const [window] = at < 0 ? [] : windows.splice(at, 1);
    if (window === undefined) return undefined;
    windows.push(window);
    return window.bytes.subarray(offset - window.offset, offset - window.offset + length);
  };
  return {
    ...repository,
    async readBlob(blob, signal) {
      if (blob.length > mostBytes) return await repository.readBlob(blob, signal);
      asked += blob.length;
      try {
        let bytes = sealed(blob);
        if (bytes === undefined) {
          await fetchAround(blob, signal);
          bytes = sealed(blob);
        }
        if (bytes !== undefined) return open(repository.key, bytes, blob);
      } catch (error) {
        // Of a pack that was cut short, or whose neighbour is unreadable, this blob may still be there.
        if (!isDamage(error)) throw error;
      }
      return await repository.readBlob(blob, signal);
    },
  };
}

const openers = new WeakMap<RepositoryKey, ReturnType<typeof smallBlobOpener>>();

/** In memory of its own. */
function open(key: RepositoryKey, bytes: Uint8Array, blob: BlobLocation): Buffer {
  const small = openers.has(key) ? openers.get(key) : smallBlobOpener(key);
  openers.set(key, small);
  const content = small?.open(bytes, blob);
  if (content === undefined) return unsealBlob(key, bytes, blob, blob.pack);
  const own = Buffer.from(new ArrayBuffer(content.length));
  content.copy(own);
  return own;
}

/** What to read for a blob: it in the middle, as far as its pack reaches. */
export function planWindow(
  { offset, length }: { readonly offset: number; readonly length: number },
  { least, wanted, endOfPack }: { readonly least: number; readonly wanted: number; readonly endOfPack: number },
): { readonly offset: number; readonly length: number } {
  const end = Math.max(endOfPack, offset + length);
  const size = Math.min(end, Math.max(least, Math.min(mostBytes, wanted)));
  const from = Math.min(Math.max(0, Math.floor(offset + length / 2 - size / 2)), end - size);
  return { offset: from, length: size };
}
