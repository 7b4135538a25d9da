import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startAgent } from '../two-agents.ts';
import { logged } from './attacker.ts';

describe('attack: a code that is altered, used or too old', () => {
  it('binds to the first key; the same key may repeat, any other is refused and both are named', async () => {
    await using agent = await startAgent('a');
    await using first = await startAgent('first');
    await using second = await startAgent('second');
    const { invitation } = agent.mint();
    await first.service.join(invitation);
    await first.service.join(invitation);
    await assert.rejects(second.service.join(invitation), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'CodeUsed');
      return [first, second].every(({ identity }) => error.message.includes(identity.fingerprint));
    });
    assert.deepEqual(agent.refusals, [`CodeUsed ${second.identity.pin}`]);
    assert.equal(agent.invitations.get(invitation.pairId)?.joinerPin, first.identity.pin);
  });

  it('is refused after its time, by the clock of who made it', async () => {
    await using agent = await startAgent('a');
    await using joiner = await startAgent('b');
    const { invitation } = agent.mint(60, new Date('2020-01-01T00:00:00Z'));
    await assert.rejects(joiner.service.join(invitation), { code: 'CodeExpired' });
    assert.equal(agent.invitations.get(invitation.pairId)?.joinerPin, undefined);
    assert.equal(logged(agent, 'CodeExpired').length, 1);
  });

  it('is refused with another secret, another pair id or another key, and binds nothing', async () => {
    await using agent = await startAgent('a');
    await using joiner = await startAgent('b');
    const { invitation } = agent.mint();
    const altered = {
      WrongCode: { ...invitation, secret: 'A'.repeat(43) },
      UnknownCode: { ...invitation, pairId: '0'.repeat(32) },
      WrongPin: { ...invitation, pin: 'A'.repeat(43) },
    };
    for (const [code, given] of Object.entries(altered))
      await assert.rejects(joiner.service.join(given), { code, retryable: false });
    assert.equal(agent.invitations.get(invitation.pairId)?.joinerPin, undefined);
  });
});
