import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { byPassphrase } from '../keys/unlock.ts';
import { initRepository, openRepository, openWithKey, packName, type Repository } from '../repository.ts';
import { type MemoryStore, memoryStore } from '../store/memory-store.ts';
import { encodePackEnd } from '../testing/encode-pack-end.ts';
import { openKeyFile } from './key-file.ts';
import { idOf } from './object-id.ts';
import { parsePackHeader, readHeaderLength } from './pack.ts';
import { unseal } from './seal.ts';
import written from './testdata/restic-0.14.json' with { type: 'json' };
import { encodeNodeHead, readTree, type TreeNode, treeEnd, treeStart, withContent, withSubtree } from './tree.ts';

const password = 'vector password';
const storeOf = (): MemoryStore =>
  memoryStore(new Map(Object.entries(written.objects).map(([name, text]) => [name, Buffer.from(text, 'base64')])));

const { key } = await openRepository(storeOf(), byPassphrase(password), randomBytes);
const openNow = (store = storeOf()) => openWithKey(store, key, randomBytes);

/** Every node below a tree, by path. */
async function nodesOf(repository: Repository, tree: string): Promise<ReadonlyMap<string, TreeNode>> {
  const locations = await repository.loadIndex();
  const found = new Map<string, TreeNode>();
  const visit = async (id: string, path: string): Promise<void> => {
    const blob = locations.find(id, 'tree');
    assert.ok(blob);
    for (const node of readTree(await repository.readBlob(blob), `tree ${id}`)) {
      found.set(`${path}/${node.name}`, node);
      if (node.subtree !== undefined) await visit(node.subtree, `${path}/${node.name}`);
    }
  };
  await visit(tree, '');
  return found;
}

describe('a repository that stock restic wrote', () => {
  it('opens with its password and with no other', async () => {
    const { config } = await openRepository(storeOf(), byPassphrase(password), randomBytes);
    assert.equal(config.version, 2);
    for (const [password, hint] of [
      ['another', /another repository's/],
      ['', /empty.*first line/],
    ] as const)
      await assert.rejects(openRepository(storeOf(), byPassphrase(password), randomBytes), {
        code: 'WrongPassword',
        hint,
      });
  });

  it('has its snapshot and all nodes of its trees', async () => {
    const repository = await openNow();
    const [snapshot] = await repository.snapshots();
    assert.ok(snapshot);
    assert.equal(snapshot.hostname, 'vector');
    assert.deepEqual(snapshot.tags, ['one']);
    const nodes = await nodesOf(repository, snapshot.tree);
    assert.deepEqual(
      [...nodes].map(([path, { type }]) => `${type} ${path}`),
      [
        'dir /src',
        'dir /src/dir',
        'dir /src/dir/empty',
        'file /src/dir/second',
        'file /src/dir/\xff\xfe"\\\n\xc3\xa9\xe2\x80\x8b',
        'fifo /src/fifo',
        'symlink /src/link',
        'file /src/plain',
        'file /src/zeros',
      ],
    );
    const plain = nodes.get('/src/plain');
    assert.equal(plain?.mtimeNs, 981_173_106_123_456_789n);
    assert.equal(plain.links, 2);
    assert.equal(plain.inode, nodes.get('/src/dir/second')?.inode);
    assert.deepEqual(
      plain.xattrs.map(({ name, value }) => [name, Buffer.from(value).toString()]),
      [['user.note', 'abc']],
    );
    assert.equal(nodes.get('/src/zeros')?.mode, 0o4755);
    assert.equal(nodes.get('/src/dir/empty')?.mode, 0o1777);
    assert.equal(nodes.get('/src/link')?.linkTarget, 'nowhere/at all');
  });

  it('has contents that are what their names say', async () => {
    const repository = await openNow();
    const locations = await repository.loadIndex();
    const [snapshot] = await repository.snapshots();
    const nodes = await nodesOf(repository, snapshot?.tree ?? '');
    const [id = ''] = nodes.get('/src/plain')?.content ?? [];
    const blob = locations.find(id, 'data');
    assert.ok(blob);
    assert.equal((await repository.readBlob(blob)).toString(), 'hello\n');
  });

  it('has pack headers that agree with its index, and are what we write', async () => {
    const store = storeOf();
    const repository = await openNow(store);
    const locations = await repository.loadIndex();
    assert.equal(locations.packs().length, 2);
    for (const pack of locations.packs()) {
      const bytes = await store.get(packName(pack));
      const length = readHeaderLength(bytes.subarray(-4), bytes.length, pack);
      const header = bytes.subarray(-4 - length, -4);
      const blobs = parsePackHeader(repository.key, header, bytes.length, pack);
      assert.ok(blobs.length > 0);
      for (const blob of blobs) assert.deepEqual({ ...locations.find(blob.id, blob.type) }, { ...blob, pack });
      const ours = encodePackEnd(repository.key, blobs, header.subarray(0, 16));
      assert.deepEqual(ours, bytes.subarray(-4 - length));
    }
  });

  it('has nodes whose text we would write alike, but for what we leave out', async () => {
    const repository = await openNow();
    const [snapshot] = await repository.snapshots();
    for (const node of (await nodesOf(repository, snapshot?.tree ?? '')).values()) {
      const head = encodeNodeHead(node);
      const text = node.subtree === undefined ? withContent(head, node.content) : withSubtree(head, node.subtree);
      const [again] = readTree(Buffer.from(`${treeStart}${text}${treeEnd}`), 'ours');
      const { links, ...rest } = node;
      // restic counts a directory's links; nothing reads them.
      assert.deepEqual(again, node.type === 'dir' ? { ...rest, links: 0 } : { ...rest, links });
    }
  });

  it('is kept when somebody wants to make one there', async () => {
    const owner = { created: new Date(0), username: 'root', hostname: 'here' };
    const store = storeOf();
    const before = new Map(store.objects);
    await assert.rejects(initRepository(store, 'new', owner, randomBytes), { code: 'RepositoryExists' });
    assert.deepEqual(store.objects, before);
  });
});

describe('altered objects', () => {
  for (const name of Object.keys(written.objects).filter((one) => !one.startsWith('keys/'))) {
    it(`are refused by name: ${name.slice(0, 12)}`, async () => {
      for (const change of [flip, cut, grow]) {
        const store = storeOf();
        store.objects.set(name, change(store.objects.get(name) ?? Buffer.alloc(0)));
        const error = await readAll(store).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'nothing';
        assert.match(code, /^(RepositoryDamaged|ObjectTooShort)$/);
        assert.ok(String(error instanceof Error && 'about' in error && error.about).includes(nameOf(name)));
      }
    });
  }
});

describe('a key file', () => {
  const [name, bytes] = [...storeOf().objects].find(([one]) => one.startsWith('keys/')) ?? ['', Buffer.alloc(0)];
  const original = JSON.parse(bytes.toString());
  const changes: Readonly<Record<string, object | string>> = {
    'is no JSON': 'x',
    'is a list': '[]',
    'wants endless memory': { N: 2 ** 30 },
    'wants endless time': { p: 1e9 },
    'has an impossible cost': { N: 32_767 },
    'has a cost of zero': { r: 0 },
    'holds nothing': { data: '' },
    'has no salt': { salt: undefined },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`that ${what} is refused by name, without trying`, async () => {
      const text = typeof change === 'string' ? change : JSON.stringify({ ...original, ...change });
      await assert.rejects(openKeyFile(Buffer.from(text), password, name), { code: 'RepositoryDamaged' });
    });
  }

  it('with another derivation says so', async () => {
    const text = JSON.stringify({ ...original, kdf: 'argon2id' });
    await assert.rejects(openKeyFile(Buffer.from(text), password, name), { code: 'KeySlotUnknown', about: name });
  });
});

const nameOf = (name: string): string => name.split('/').at(-1)?.slice(0, 64) ?? '';
const flip = (bytes: Buffer): Buffer => {
  const changed = Buffer.from(bytes);
  const at = Math.floor(changed.length / 2);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
};
const cut = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 1);
const grow = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.from([0])]);

/** Reads every object, as a full check would. */
async function readAll(store: MemoryStore): Promise<void> {
  const repository = await openNow(store);
  const locations = await repository.loadIndex();
  for (const { tree } of await repository.snapshots()) await nodesOf(repository, tree);
  for (const pack of locations.packs()) {
    const bytes = await store.get(packName(pack));
    const length = readHeaderLength(bytes.subarray(-4), bytes.length, pack);
    const blobs = parsePackHeader(repository.key, bytes.subarray(-4 - length, -4), bytes.length, `pack ${pack}`);
    for (const blob of blobs) await repository.readBlob({ ...blob, pack });
    // As `readAll` of a pack that only its name vouches for.
    if (idOf(bytes) !== pack) unseal(repository.key, bytes, `pack ${pack}`);
  }
}
