import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { encodeKeyFile, newMasterKey } from './format/key-file.ts';
import { idOf } from './format/object-id.ts';
import { byPassphrase } from './keys/unlock.ts';
import { initRepository, openRepository } from './repository.ts';
import { memoryStore } from './store/memory-store.ts';

const owner = { created: new Date(0), username: 'root', hostname: 'here' };
const init = (store: ReturnType<typeof memoryStore>, password = 'pw') =>
  initRepository(store, password, owner, randomBytes);
const slotsOf = ({ objects }: ReturnType<typeof memoryStore>) =>
  [...objects.keys()].filter((name) => name.startsWith('keys/'));

/** As an init that was killed before its config. */
async function cutOff() {
  const store = memoryStore();
  await init(store);
  store.objects.delete('config');
  return store;
}

describe('making a repository', () => {
  it('goes on with one that was cut off before its config, with its one key slot', async () => {
    const store = await cutOff();
    const slots = slotsOf(store);
    const { config } = await init(store);
    assert.deepEqual(slotsOf(store), slots);
    assert.equal((await openRepository(store, byPassphrase('pw'), randomBytes)).config.id, config.id);
  });

  it('refuses one that was cut off with another password, and changes nothing', async () => {
    const store = await cutOff();
    const before = new Map(store.objects);
    await assert.rejects(init(store, 'other'), { code: 'RepositoryUnfinished' });
    assert.deepEqual(store.objects, before);
  });

  it('is won by one of two at once, and each slot that is left opens it', async () => {
    for (const passwords of [
      ['pw', 'pw'],
      ['pw', 'other'],
    ]) {
      const store = memoryStore();
      const made = await Promise.allSettled(passwords.map((password) => init(store, password)));
      assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 1);
      const lost = made.find((one) => one.status === 'rejected');
      assert.equal(lost?.reason.code, 'RepositoryExists');
      const won = passwords[made.findIndex(({ status }) => status === 'fulfilled')] ?? '';
      await openRepository(store, byPassphrase(won), randomBytes);
      for (const left of slotsOf(store)) {
        const alone = memoryStore();
        for (const [name, bytes] of store.objects)
          if (name === left || !name.startsWith('keys/')) alone.objects.set(name, bytes);
        await openRepository(alone, byPassphrase(won), randomBytes);
      }
    }
  });
});

describe('opening a repository', () => {
  const strangers = {
    'of another key': () => Buffer.from(encodeKeyFile(newMasterKey(randomBytes), 'pw', owner, randomBytes)),
    'that is damaged': () => Buffer.from('{"kdf":"scrypt"'),
  };
  for (const [what, make] of Object.entries(strangers))
    it(`is not kept from it by a slot ${what}`, async () => {
      const store = memoryStore();
      await init(store);
      const slot = make();
      const objects = [...store.objects];
      store.objects.clear();
      store.objects.set(`keys/${idOf(slot)}`, slot);
      for (const [name, bytes] of objects) store.objects.set(name, bytes);
      await openRepository(store, byPassphrase('pw'), randomBytes);
    });

  it('says which object is damaged when only a damaged slot is left', async () => {
    const store = memoryStore();
    await init(store);
    const [name = ''] = slotsOf(store);
    store.objects.set(name, Buffer.from('{}'));
    await assert.rejects(openRepository(store, byPassphrase('pw'), randomBytes), { about: name });
  });
});
