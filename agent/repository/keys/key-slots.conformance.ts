import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { memoryRepository } from '../testing/write-restore-point.ts';
import { addKeySlot, findKeySlot, type KeySlotKind, listKeySlots, removeKeySlot, rotateKeySlot } from './key-slots.ts';
import { newRecoveryPassphrase, renderRecoveryKit } from './recovery-kit.ts';
import { byPassphrase } from './unlock.ts';

const owner = { created: new Date('2026-01-01T00:00:00Z'), username: 'u', hostname: 'h' };
const refused = { lastOfRestic: 'Refused' } as const;

async function withSlots(...kinds: readonly KeySlotKind[]) {
  const repository = await memoryRepository();
  const slots = [];
  for (const [number, kind] of kinds.entries())
    slots.push(
      await addKeySlot(
        repository,
        { kind, wrapping: byPassphrase(`pass ${number}`), label: 'mine', owner },
        randomBytes,
      ),
    );
  const remover = { repository, randomBytes, clock: manualClock() };
  return { repository, remover, store: repository.store, slots };
}

describe('key slots', () => {
  it('open with their passphrase, ours and those of restic, and tell what they are for', async () => {
    const { repository, store } = await withSlots('ours', 'restic');
    for (const [passphrase, kind] of [
      ['pass 0', 'ours'],
      ['pass 1', 'restic'],
    ]) {
      const found = await findKeySlot(store, byPassphrase(passphrase ?? ''));
      assert.equal(found?.slot.kind, kind);
      assert.deepEqual(found?.key, repository.key);
    }
    assert.equal(await findKeySlot(store, byPassphrase('another')), undefined);
    assert.deepEqual(
      (await listKeySlots(store)).map(({ kind, label }) => [kind, label]),
      [
        ['ours', 'mine'],
        ['restic', ''],
      ],
    );
  });

  it('are removed, but never the last one that can be read', async () => {
    const { store, remover, slots } = await withSlots('ours', 'ours');
    const [first, second] = slots;
    assert.ok(first && second);
    await removeKeySlot(remover, first, refused);
    await assert.rejects(removeKeySlot(remover, second, refused), { code: 'LastKeySlot' });
    store.objects.set(first.name, Buffer.from('damaged'));
    await assert.rejects(removeKeySlot(remover, second, refused), { code: 'LastKeySlot' });
    assert.ok(await findKeySlot(store, byPassphrase('pass 1')));
  });

  it('of restic keep one for stock restic, unless told', async () => {
    const { remover, slots } = await withSlots('ours', 'restic');
    const [, restics] = slots;
    assert.ok(restics);
    await assert.rejects(removeKeySlot(remover, restics, refused), { code: 'LastResticKeySlot' });
    await removeKeySlot(remover, restics, { lastOfRestic: 'Allowed' });
  });

  it('are put back when two remove the last two at once', async () => {
    const { store, remover, slots } = await withSlots('ours', 'ours');
    const both = await Promise.allSettled(slots.map((slot) => removeKeySlot(remover, slot, refused)));
    assert.ok(both.some(({ status }) => status === 'rejected'));
    assert.ok((await listKeySlots(store)).length > 0);
  });

  it('are rotated: the new passphrase opens, the old one no longer does', async () => {
    const { store, remover, slots } = await withSlots('restic');
    const [old] = slots;
    assert.ok(old);
    const slot = await rotateKeySlot(remover, old, { wrapping: byPassphrase('new'), label: '', owner });
    assert.equal(slot.kind, 'restic');
    assert.equal(await findKeySlot(store, byPassphrase('pass 0')), undefined);
    assert.ok(await findKeySlot(store, byPassphrase('new')));
  });

  it('need a passphrase', async () => {
    const { repository } = await withSlots();
    const empty = { kind: 'ours', wrapping: byPassphrase(''), label: '', owner } as const;
    await assert.rejects(addKeySlot(repository, empty, randomBytes), { code: 'PassphraseEmpty' });
  });
});

describe('a recovery kit', () => {
  it('holds a passphrase of 160 bits that can be typed', () => {
    const passphrase = newRecoveryPassphrase(() => Buffer.from(`${'00'.repeat(19)}ff`, 'hex'));
    assert.equal(passphrase, 'Z700-0000-0000-0000-0000-0000-0000-0000');
    assert.match(newRecoveryPassphrase(randomBytes), /^([0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$/);
    assert.ok(renderRecoveryKit('/repo', 'id', passphrase, 'slot').some((line) => line.includes(passphrase)));
  });
});
