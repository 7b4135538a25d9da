import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { bundleLines, dialLine } from '../link/dial.ts';
import { openClientSession } from '../link/http2-session.ts';
import { streamRoute } from '../routes.ts';
import { connectAgents, eventually, pairConfigs, startAgent } from '../two-agents.ts';
import { clock, closed, logged, self } from './attacker.ts';

describe('attack: over a pair that is not, or no longer, one’s own', () => {
  it('admits no other key, and no other pair of a known key', async () => {
    await using left = await startAgent('left');
    await using right = await startAgent('right');
    await using third = await startAgent('third');
    const { onLeft, onRight } = pairConfigs(left, right);
    left.service.declare(onLeft);
    const intruder = third.service.declare(onRight);
    const otherPair = right.service.declare({ ...onRight, pairId: 'f'.repeat(32) });
    for (const peer of [intruder, otherPair]) {
      await eventually(() => peer.link.state === 'Revoked', 'turned away');
      assert.equal(peer.state.ready, 'No');
    }
    assert.ok(logged(left, 'UnknownPair').length > 0);
  });

  for (const revokes of ['left', 'right'] as const)
    it(`breaks streams under way the moment the ${revokes} side revokes, and never looks whole`, async () => {
      const received: number[] = [];
      const sink = streamRoute({
        path: '/v1/sink',
        admit: async () => (stream) => void stream.on('data', (piece) => received.push(piece.length)),
      });
      await using left = await startAgent('left', [sink]);
      await using right = await startAgent('right');
      const { toLeft } = await connectAgents(left, right);
      const stream = await toLeft.openStream('/v1/sink');
      let broken = false;
      const breaks = () => {
        broken = true;
      };
      stream.on('error', breaks).on('aborted', breaks);
      stream.write(Buffer.alloc(100_000));
      await eventually(() => received.length > 0, 'bytes flow');
      const gone = closed(stream);
      const [revoker, other] = revokes === 'left' ? [left, right] : [right, left];
      await revoker.service.revoke(`uid-${revokes}`);
      await gone;
      assert.equal(broken, true);
      await eventually(() => other.revoked.length === 1, 'the other side was told');
      const flowed = received.length;
      await assert.rejects(toLeft.openStream('/v1/sink'), { code: 'PeerNotConnected' });
      assert.equal(received.length, flowed);
      if (revokes === 'left')
        await eventually(() => toLeft.link.state === 'Revoked', 'turned away when it tries again');
    });

  it('keeps its routes to the lane they belong to', async () => {
    await using left = await startAgent('left', [streamRoute({ path: '/v1/sink', admit: async () => () => {} })]);
    await using right = await startAgent('right');
    const { onLeft } = pairConfigs(left, right);
    left.service.declare(onLeft);
    const [line] = bundleLines;
    const { pairId } = onLeft;
    const signal = new AbortController().signal;
    const dial = { endpoint: left.endpoint, line, bundle: 'one-bundle', pairId, peerPin: left.identity.pin };
    const dialled = await dialLine({ ...dial, identity: right.identity, self, clock, signal });
    const session = await openClientSession(dialled.socket, clock);
    const stream = session.request({ ':method': 'POST', ':path': '/v1/sink' });
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 404);
    session.destroy();
  });
});
