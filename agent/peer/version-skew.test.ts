import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { channelTo, frameDeadline, logged } from './attacks/attacker.ts';
import { joinProof, proofKeyOf } from './invitation.ts';
import { readFrame, writeFrame } from './link/frames.ts';
import { answerSchema } from './link/preamble.ts';
import { pairConfigs, startAgent } from './two-agents.ts';

describe('agents of different versions', () => {
  it('are told which one to update when they have no version of the protocol in common', async () => {
    await using left = await startAgent('left');
    await using right = await startAgent('right');
    const { onLeft } = pairConfigs(left, right);
    const toRight = left.service.declare(onLeft);
    const dial = { pairId: onLeft.pairId, lane: 'control', bundle: 'some-bundle', cluster: 'right', version: 'v9' };
    const dialWith = async (versions: object) => {
      const { socket } = await channelTo(left, 'forward', right.identity);
      await writeFrame(socket, { ...dial, ...versions });
      const answer = await readFrame(socket, answerSchema, frameDeadline);
      socket.destroy();
      return answer;
    };
    const refused = await dialWith({ protocol: 3, oldestProtocol: 2 });
    assert.deepEqual([refused.verdict, refused.code], ['Refused', 'VersionTooNew']);
    assert.match(refused.message ?? '', /Update the agent of the answering cluster/);
    assert.equal(toRight.link.code, 'VersionTooNew');
    assert.equal(logged(left, 'VersionTooNew').length, 1);
    assert.equal((await dialWith({ protocol: 2, oldestProtocol: 1 })).verdict, 'Admitted');
    assert.equal((await dialWith({ protocol: 2 })).verdict, 'Admitted', 'one that only names its newest');
  });

  it('join only with a version in common; the code stays unused', async () => {
    await using agent = await startAgent('a');
    await using joiner = await startAgent('b');
    const { invitation } = agent.mint();
    const { pairId } = invitation;
    const { socket, exporter } = await channelTo(agent, 'join', joiner.identity);
    const pins = { joinerPin: joiner.identity.pin, acceptorPin: agent.identity.pin };
    const material = { role: 'joiner', exporter: exporter(pairId), ...pins, pairId } as const;
    const proof = joinProof(proofKeyOf(invitation.secret), material);
    await writeFrame(socket, { protocol: 5, pairId, proof, cluster: 'b', version: 'v9' });
    const answer = await readFrame(socket, answerSchema, frameDeadline);
    socket.destroy();
    assert.equal(answer.code, 'VersionTooNew');
    assert.equal(agent.invitations.get(pairId)?.joinerPin, undefined);
  });
});
