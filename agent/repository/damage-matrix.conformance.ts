import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { manualClock } from '../../kube/clock.ts';
import { scratch } from '../mover/testing/test-volumes.ts';
import { idOf } from './format/object-id.ts';
import { sealDocument } from './format/unpacked.ts';
import { addKeySlot } from './keys/key-slots.ts';
import { byPassphrase } from './keys/unlock.ts';
import { keepLedger } from './ledger/keep-ledger.ts';
import { takeLock } from './locks/repository-lock.ts';
import { putHolders, putMark } from './prune/marks.ts';
import { planRepair } from './repair/plan-repair.ts';
import { repair } from './repair/repair.ts';
import { openRepository, openWithKey, type Repository } from './repository.ts';
import { restore } from './restore/restore.ts';
import { pathFilter } from './select-paths.ts';
import { type MemoryStore, memoryStore } from './store/memory-store.ts';
import { testHost } from './testing/lock-context.ts';
import { readableFiles } from './testing/readable-files.ts';
import { memoryRepository, save } from './testing/save-and-restore.ts';
import { memoryRepository as foreignRepository } from './testing/write-restore-point.ts';
import { isDamage } from './verify/read-document.ts';
import { verify } from './verify/verify.ts';

const passphrase = 'of the matrix';
const everything = { read: 'everything' } as const;

interface Damage {
  readonly name: 'flipped' | 'truncated' | 'swapped' | 'deleted';
  /** @param other the name of another object of the kind */
  do(store: MemoryStore, name: string, other: string): void;
}

const bytesOf = ({ objects }: MemoryStore, name: string): Buffer => objects.get(name) ?? assert.fail(`no ${name}`);

const damages: readonly Damage[] = [
  {
    name: 'flipped',
    do(store, name) {
      const bytes = Buffer.from(bytesOf(store, name));
      const at = Math.floor(bytes.length / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      store.objects.set(name, bytes);
    },
  },
  {
    name: 'truncated',
    do: (store, name) =>
      void store.objects.set(name, bytesOf(store, name).subarray(0, bytesOf(store, name).length / 2)),
  },
  {
    name: 'swapped',
    do(store, name, other) {
      const [left, right] = [bytesOf(store, name), bytesOf(store, other)];
      store.objects.set(name, right);
      store.objects.set(other, left);
    },
  },
  { name: 'deleted', do: (store, name) => void store.objects.delete(name) },
];

interface Kind {
  readonly name: string;
  readonly prefix: string;
  /** Which of those below the prefix. */
  readonly isOne?: (made: Made, name: string) => boolean;
  /**
   * What verify says of one that was deleted: its name as damaged, as gone (stock restic may have removed it), or in a note; other objects;
   * or nothing, as its holder takes a lock away any time, and notices when somebody else does.
   */
  readonly deleted: 'named' | 'gone' | 'noted' | 'told by others' | 'not told';
}

const kinds: readonly Kind[] = [
  { name: 'an index', prefix: 'index/', deleted: 'told by others' },
  { name: 'a restore point', prefix: 'snapshots/', deleted: 'gone' },
  { name: 'a pack of contents', prefix: 'data/', isOne: (made, name) => !made.treePacks.has(name), deleted: 'named' },
  { name: 'a pack of trees', prefix: 'data/', isOne: (made, name) => made.treePacks.has(name), deleted: 'named' },
  { name: "a key slot of restic's", prefix: 'keys/', deleted: 'gone' },
  { name: 'a key slot of ours', prefix: 'stork/keys/', deleted: 'named' },
  { name: 'a manifest', prefix: 'stork/manifests/', deleted: 'named' },
  { name: 'a mark', prefix: 'stork/marks/', deleted: 'named' },
  { name: 'who is waited for', prefix: 'stork/waits/', deleted: 'noted' },
  { name: 'an entry of the ledger', prefix: 'stork/ledger/', deleted: 'named' },
  { name: 'a lock', prefix: 'locks/', deleted: 'not told' },
];

interface Made {
  readonly objects: ReadonlyMap<string, Buffer>;
  readonly key: Repository['key'];
  readonly treePacks: ReadonlySet<string>;
  readonly files: ReadonlyMap<string, string>;
}

const filesOfEach = 2;

/** Two backups that share nothing but their repository, and two of everything else. */
async function make(): Promise<Made> {
  using space = scratch();
  const { store, repository } = await memoryRepository();
  for (const name of ['one', 'two']) {
    const root = space.path(name);
    mkdirSync(`${root}/sub`, { recursive: true });
    writeFileSync(`${root}/small-${name}`, `content of ${name}`);
    writeFileSync(`${root}/sub/large-${name}`, randomBytes(1_500_000));
    await save(repository, [root], { parent: undefined });
  }
  const owner = { created: new Date(0), username: 'u', hostname: 'h' };
  for (const kind of ['ours', 'restic', 'ours', 'restic'] as const)
    await addKeySlot(repository, { kind, wrapping: byPassphrase(passphrase), label: 'l', owner }, randomBytes);
  const [first] = await repository.snapshots();
  for (const trees of [[first?.tree ?? ''], []]) {
    const sealed = sealDocument(repository.key, JSON.stringify({ trees }), randomBytes(16));
    await store.put(`stork/manifests/${idOf(sealed)}`, sealed);
    const mark = await putMark(repository, { time: new Date(0), packs: [] }, randomBytes);
    await putHolders(repository, mark, ['gone'], randomBytes);
  }
  // Takes in what was written without it.
  await keepLedger(testHost(manualClock()).context(repository), { whenDamaged: 'Kept' });
  const locations = await repository.loadIndex();
  const treePacks = new Set<string>();
  for (const { tree } of await repository.snapshots()) treePacks.add(packOf(locations.find(tree, 'tree')?.pack));
  return { objects: new Map(store.objects), key: repository.key, treePacks, files: await readableFiles(repository) };
}

const packOf = (id = ''): string => `data/${id.slice(0, 2)}/${id}`;

async function copyOf({ objects, key }: Made) {
  const store = memoryStore();
  for (const [name, bytes] of objects) store.objects.set(name, bytes);
  const repository = await openWithKey(store, key, randomBytes);
  return { store, repository, context: testHost(manualClock()).context(repository) };
}

/** What is lost, by restore point and path, is what verify says, and nothing else. */
function assertTold(
  made: Made,
  left: ReadonlyMap<string, string>,
  { damage, affected }: Awaited<ReturnType<typeof verify>>,
  isDeletedPoint: (path: string) => boolean,
) {
  const named = new Set(damage.map(({ object }) => object));
  const isTold = (path: string) =>
    named.has(path.slice(0, path.indexOf(' '))) ||
    isDeletedPoint(path) ||
    affected.some((one) => {
      const at = `${one.restorePoint} ${one.path === '/' ? '' : one.path}`;
      return path === at || path.startsWith(`${at}/`);
    });
  for (const path of made.files.keys()) {
    if (left.has(path))
      assert.ok(!affected.some((one) => `${one.restorePoint} ${one.path}` === path), `${path} is whole`);
    else assert.ok(isTold(path), `${path} is lost and was not told`);
  }
}

/** Restores each restore point that can be read, going on: exactly what is left is under its name, and nothing wrong. */
async function assertRestores(repository: Repository, left: ReadonlyMap<string, string>) {
  using space = scratch();
  for (const snapshot of await repository.snapshots(undefined, () => undefined)) {
    const target = space.path(snapshot.id);
    const wanted = [...left].filter(([path]) => path.startsWith(`snapshots/${snapshot.id} `));
    const restoring = restore({
      ...{ repository, snapshot, from: '', target, filter: pathFilter([], []), others: 'keep', verify: false },
      ...{ problems: 'name', threads: 1, signal: new AbortController().signal },
    });
    const result = await restoring.catch((error: unknown) => {
      // Its root is lost: there is nothing to go on with.
      if (wanted.length > 0 || !isDamage(error)) throw error;
      return undefined;
    });
    if (result === undefined) continue;
    const found = readdirSync(target, { recursive: true, withFileTypes: true })
      .filter((one) => one.isFile() && !one.name.endsWith('.incomplete'))
      .map((one) => `${one.parentPath}/${one.name}`);
    assert.deepEqual(
      found.map((path) => [`snapshots/${snapshot.id} ${path.slice(target.length)}`, idOf(readFileSync(path))]).sort(),
      wanted.sort(),
    );
    // An index that can't be read is named, too, whether this restore point needs it or not.
    const lost = result.problems.filter(({ path }) => !path.startsWith('index/'));
    assert.equal(lost.length > 0, wanted.length < filesOfEach, 'what is lost is named');
  }
}

const assertNoLess = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>) => {
  for (const [path, digest] of before) assert.equal(after.get(path), digest, `repair lost ${path}`);
};

describe('a damaged object', () => {
  let made: Made;
  before(async () => {
    made = await make();
  });

  for (const kind of kinds)
    for (const damage of damages)
      it(`${kind.name} that was ${damage.name}: told, never wrong bytes, the rest is given, repair makes it no worse`, async () => {
        const { store, repository, context } = await copyOf(made);
        const isLock = kind.prefix === 'locks/';
        for (let number = 0; isLock && number < 2; number++) await takeLock(context, 'read');
        const names = [...store.objects.keys()].filter(
          (name) => name.startsWith(kind.prefix) && kind.isOne?.(made, name) !== false,
        );
        const [name = '', other = ''] = names;
        assert.notEqual(other, '', `two of ${kind.prefix}`);
        damage.do(store, name, other);

        const report = await verify({ repository, depth: everything });
        // The packs of an index that can't be used are told beside it.
        const packs = report.damage.filter((one) => kind.prefix === 'index/' && one.kind === 'unindexed');
        const named = report.damage.filter((one) => !packs.includes(one)).map(({ object }) => object);
        const wanted = damage.name === 'swapped' ? [name, other] : [name];
        const isDeleted = damage.name === 'deleted';
        if (!isDeleted || kind.deleted === 'named')
          assert.deepEqual(named.toSorted(), wanted.toSorted(), 'verify names it, and only it');
        else assert.equal(packs.length > 0, kind.deleted === 'told by others');
        const isGone = isDeleted && kind.deleted === 'gone';
        assert.deepEqual(
          report.gone.map(({ object }) => object),
          isGone ? [name] : [],
        );
        const notes = report.notes.map(({ object }) => object);
        assert.equal(notes.includes(name), isDeleted && kind.deleted === 'noted');

        const left = await readableFiles(repository);
        for (const [path, digest] of left) assert.equal(digest, made.files.get(path), `${path} is what it was`);
        assertTold(made, left, report, (path) => isDeleted && path.startsWith(`${name} `));
        if (/^(index|snapshots|data)\//.test(name)) await assertRestores(repository, left);

        const unreadableLock = isLock && damage.name !== 'deleted';
        if (isLock)
          await assert.rejects(repair(context, everything), {
            code: unreadableLock ? 'LockUnreadable' : 'RepositoryLocked',
          });
        else await repair(context, everything);
        assertNoLess(left, await readableFiles(repository));
        const again = await verify({ repository, depth: everything });
        assert.equal(again.damage.length, planRepair(report).beyondRepair.length, 'repaired, or beyond repair');
      });

  for (const damage of damages)
    it(`the config that was ${damage.name}: refused, and said which object`, async () => {
      const { store } = await copyOf(made);
      // There is one in each repository.
      const { store: foreign } = await foreignRepository();
      store.objects.set('stork/foreign', bytesOf(foreign, 'config'));
      damage.do(store, 'config', 'stork/foreign');
      await assert.rejects(
        openRepository(store, byPassphrase(passphrase), randomBytes),
        (error: Error & { code?: string; about?: string }) => {
          assert.equal(error.code, damage.name === 'deleted' ? 'RepositoryMissing' : 'RepositoryDamaged');
          assert.equal(error.about, 'config');
          return true;
        },
      );
    });
});
