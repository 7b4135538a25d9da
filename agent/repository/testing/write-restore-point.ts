/** For tests: a restore point of a few files, written the way a backup does, in one thread and without a file system. */
import { randomBytes } from 'node:crypto';
import { createPacker } from '../backup/packer.ts';
import type { PackToIndex } from '../format/index-file.ts';
import { idOf } from '../format/object-id.ts';
import { type BlobType, sealBlob } from '../format/pack.ts';
import { ivBytes } from '../format/seal.ts';
import type { Snapshot } from '../format/snapshot.ts';
import { encodeNodeHead, treeEnd, treeStart, withContent, withSubtree } from '../format/tree.ts';
import { openWithKey, type Repository } from '../repository.ts';
import { type MemoryStore, memoryStore } from '../store/memory-store.ts';
import { makeRepository } from './make-repository.ts';

export interface WrittenRestorePoint {
  readonly snapshot: string;
  readonly tree: string;
  /** By the name of each file. */
  readonly packs: Readonly<Record<string, string>>;
  readonly treePack: string;
}

/** Content by file name, all in the directory `/data`. */
export type TestFiles = Readonly<Record<string, Uint8Array>>;

export const testKey = { encrypt: Buffer.alloc(32, 1), macK: Buffer.alloc(16, 2), macR: Buffer.alloc(16, 3) };

export async function memoryRepository(store = memoryStore()): Promise<Repository & { readonly store: MemoryStore }> {
  await makeRepository(store, testKey);
  return { ...(await openWithKey(store, testKey, randomBytes)), store };
}

const stats = {
  mode: 0o644,
  mtimeNs: 0n,
  ctimeNs: 0n,
  uid: 0,
  gid: 0,
  inode: 1n,
  deviceId: 1n,
  links: 1,
  device: 0n,
  linkTarget: '',
  xattrs: [],
};

/** Every file is one blob in a pack of its own. What `except` leaves out of the index is stored again, as a writer does. */
export async function writeRestorePoint(
  repository: Repository,
  files: TestFiles,
  {
    time = new Date('2026-01-01T00:00:00Z'),
    hostname = 'host',
    tags = [] as readonly string[],
    except = new Set<string>() as ReadonlySet<string>,
    commit = (snapshot: Snapshot) => repository.putSnapshot(snapshot),
  } = {},
): Promise<WrittenRestorePoint> {
  const locations = await repository.loadIndex(undefined, except);
  const indexed: PackToIndex[] = [];
  const store = async (content: Uint8Array, type: BlobType): Promise<string> => {
    const known = locations.find(idOf(content), type);
    if (known !== undefined) return known.pack;
    const newIv = () => randomBytes(ivBytes);
    const packer = createPacker({ type, key: repository.key, newIv, takeBuffer: (bytes) => new ArrayBuffer(bytes) });
    packer.add(idOf(content), sealBlob(repository.key, content, 1, newIv()));
    const pack = packer.takeRest();
    if (pack === undefined) throw new Error('no pack');
    const id = await repository.putPack(pack.bytes);
    indexed.push({ id, blobs: pack.blobs });
    locations.add(id, pack.blobs);
    return id;
  };
  const packs: Record<string, string> = {};
  const nodes: string[] = [];
  for (const [name, content] of Object.entries(files).sort(([left], [right]) => (left < right ? -1 : 1))) {
    packs[name] = await store(content, 'data');
    const head = encodeNodeHead({ ...stats, name, type: 'file', size: content.length });
    nodes.push(withContent(head, [idOf(content)]));
  }
  const below = Buffer.from(`${treeStart}${nodes.join()}${treeEnd}`);
  const treePack = await store(below, 'tree');
  const directory = withSubtree(encodeNodeHead({ ...stats, name: 'data', type: 'dir', size: 0 }), idOf(below));
  const root = Buffer.from(`${treeStart}${directory}${treeEnd}`);
  await store(root, 'tree');
  if (indexed.length > 0) await repository.putIndex(indexed);
  const tree = idOf(root);
  const snapshot = await commit({ time, tree, paths: ['/data'], hostname, username: 'u', tags, excludes: [] });
  return { snapshot, tree, packs, treePack };
}
