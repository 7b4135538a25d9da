import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { manualClock } from '../../../kube/clock.ts';
import { idOf } from '../format/object-id.ts';
import { readJson } from '../format/read-json.ts';
import { memoryRepository, testKey } from '../testing/write-restore-point.ts';
import { openForIdentities, parseIdentities, wrapForRecipients } from './age-slot.ts';
import { addKeySlot, findKeySlot, listKeySlots, removeKeySlot } from './key-slots.ts';
import { byPassphrase, openSlot } from './unlock.ts';

const owner = { created: new Date('2026-01-01T00:00:00Z'), username: 'u', hostname: 'h' };

async function aPair() {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

describe('a key slot for recipients of age', () => {
  it('is opened by any one of its identities, among others, and by nobody else', async () => {
    const [ours, theirs, strangers] = [await aPair(), await aPair(), await aPair()];
    const { store, key, ...repository } = await memoryRepository();
    const wrapping = { by: 'Recipients', recipients: [ours.recipient, theirs.recipient] } as const;
    await addKeySlot({ ...repository, store, key }, { kind: 'ours', wrapping, label: 'on call', owner }, randomBytes);
    const open = async (...identities: readonly string[]) =>
      (await findKeySlot(store, { by: 'Identities', identities }))?.key;
    assert.deepEqual(await open(ours.identity), key);
    assert.deepEqual(await open(strangers.identity, theirs.identity), key);
    assert.equal(await open(strangers.identity), undefined);
    const [slot] = await listKeySlots(store);
    assert.deepEqual([slot?.kdf, slot?.label, slot?.recipients], ['age', 'on call', wrapping.recipients]);
  });

  it('counts as a slot, and may be the last one', async () => {
    const { recipient } = await aPair();
    const repository = await memoryRepository();
    const add = (wrapping: Parameters<typeof addKeySlot>[1]['wrapping']) =>
      addKeySlot(repository, { kind: 'ours', wrapping, label: '', owner }, randomBytes);
    const first = await add({ by: 'Recipients', recipients: [recipient] });
    const second = await add({ by: 'Recipients', recipients: [recipient] });
    const remover = { repository, randomBytes, clock: manualClock() };
    await removeKeySlot(remover, first, { lastOfRestic: 'Refused' });
    await assert.rejects(removeKeySlot(remover, second, { lastOfRestic: 'Refused' }), { code: 'LastKeySlot' });
  });

  it('opens nothing when any byte of its file is another', async () => {
    const { identity, recipient } = await aPair();
    const fields = await wrapForRecipients(testKey, [recipient]);
    const file = Buffer.from(fields.data, 'base64');
    for (let at = 0; at < file.length; at++) {
      const altered = Buffer.from(file);
      altered[at] = (altered[at] ?? 0) ^ 1;
      const slot = readJson(Buffer.from(JSON.stringify({ ...fields, data: altered.toString('base64') })), 'slot');
      assert.equal(await openForIdentities(slot, [identity]), undefined, `byte ${at}`);
    }
  });

  it('refuses what is no recipient, and none, before anything is written', async () => {
    const { recipient } = await aPair();
    const oneLetterOff = recipient.slice(0, -1) + (recipient.endsWith('q') ? 'p' : 'q');
    for (const recipients of [[], ['age1'], [recipient, 'ssh-ed25519 AAAA'], [oneLetterOff], [recipient.toUpperCase()]])
      await assert.rejects(wrapForRecipients(testKey, recipients), { code: 'RecipientInvalid' });
  });

  it('is found behind slots that are damaged or of a later kind', async () => {
    const { identity, recipient } = await aPair();
    const repository = await memoryRepository();
    for (const slot of [{ kdf: 'age', data: '' }, { kdf: 'tpm' }, { kdf: 'scrypt', N: 3 }]) {
      const bytes = Buffer.from(JSON.stringify(slot));
      await repository.store.put(`stork/keys/${idOf(bytes)}`, bytes);
    }
    const unlock = { by: 'Identities', identities: [identity] } as const;
    assert.equal(await findKeySlot(repository.store, unlock), undefined);
    assert.equal(await findKeySlot(repository.store, byPassphrase('x')), undefined);
    const wrapping = { by: 'Recipients', recipients: [recipient] } as const;
    const { name } = await addKeySlot(repository, { kind: 'ours', wrapping, label: '', owner }, randomBytes);
    assert.equal((await findKeySlot(repository.store, unlock))?.slot.name, name);
  });

  it('says of one that is empty or of a later kind what it is', async () => {
    const { identity } = await aPair();
    const open = (slot: unknown) =>
      openSlot(Buffer.from(JSON.stringify(slot)), { by: 'Identities', identities: [identity] }, 'stork/keys/x');
    await assert.rejects(open({ kdf: 'age', data: '' }), { code: 'RepositoryDamaged', about: 'stork/keys/x' });
    await assert.rejects(open({ kdf: 'tpm' }), { code: 'KeySlotUnknown', about: 'stork/keys/x' });
  });
});

describe('a file of identities', () => {
  it('is read as age-keygen writes it', async () => {
    const [one, two] = [await aPair(), await aPair()];
    const text = `# created: 2026-01-01\n# public key: ${one.recipient}\n${one.identity}\r\n\n${two.identity}`;
    assert.deepEqual(await parseIdentities(text, 'F'), [one.identity, two.identity]);
  });

  it('is refused by the line, without telling what it says', async () => {
    const { identity } = await aPair();
    const wrong = identity.slice(0, -1) + (identity.endsWith('Q') ? 'P' : 'Q');
    for (const [text, about] of [
      ['', 'F'],
      ['-----BEGIN AGE ENCRYPTED FILE-----', 'F'],
      [`# x\n${wrong}`, 'F line 2'],
      [`${identity}\nAGE-PLUGIN-YUBIKEY-1ABC`, 'F line 2'],
    ] as const) {
      const error = await parseIdentities(text, about.slice(0, 1)).catch((failure: unknown) => failure);
      assert.ok(error instanceof Error && 'code' in error && 'about' in error);
      assert.deepEqual([error.code, error.about], ['IdentityInvalid', about]);
      assert.ok(!JSON.stringify(error).includes(wrong) && !error.message.includes('AGE-PLUGIN') && !error.cause);
    }
  });
});
