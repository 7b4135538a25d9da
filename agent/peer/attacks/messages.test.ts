import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { object, required, string } from '../../../crds/schema/index.ts';
import { joinProof, proofKeyOf } from '../invitation.ts';
import { bundleLines, dialLine } from '../link/dial.ts';
import { readFrame, writeFrame } from '../link/frames.ts';
import { openClientSession } from '../link/http2-session.ts';
import { type Answer, answerSchema } from '../link/preamble.ts';
import { jsonRoute } from '../routes.ts';
import { connectAgents, eventually, pairConfigs, startAgent } from '../two-agents.ts';
import { channelTo, clock, closed, frameDeadline, logged, self, startTappedWire, stranger } from './attacker.ts';

const frame = (length: number, body: string) => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(length);
  return Buffer.concat([header, Buffer.from(body)]);
};
const whole = (body: string) => frame(Buffer.byteLength(body), body);

describe('attack: oversized and malformed frames', () => {
  const join = { protocol: 1, pairId: 'a'.repeat(32), proof: 'x'.repeat(43), cluster: 'c', version: 'v' };
  const bytes: Readonly<Record<string, Buffer>> = {
    'a length of 4 GiB': frame(0xffffffff, 'x'),
    'a length of nothing': frame(0, ''),
    'something above the cap': frame(16 * 1024 + 1, 'x'.repeat(20_000)),
    'no JSON': whole('{"protocol":'),
    'another type': whole('[1,2]'),
    'missing fields': whole('{"protocol":1}'),
    'a field of the wrong form': whole(JSON.stringify({ ...join, pairId: '../../etc' })),
    'control characters in a name': whole(JSON.stringify({ ...join, cluster: '\u001b[2J' })),
    'an HTTP request': Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  };
  for (const [what, sent] of Object.entries(bytes)) {
    it(`end the connection, logged: ${what}`, async () => {
      await using agent = await startAgent('a');
      for (const purpose of ['join', 'forward', 'reverse'] as const) {
        const channel = await channelTo(agent, purpose);
        channel.socket.resume().write(sent);
        await closed(channel.socket);
      }
      await eventually(() => logged(agent, 'InvalidFrame').length === 3, 'logged');
    });
  }

  it('end the connection when HTTP/2 is broken after the preamble, and the agent goes on', async () => {
    await using left = await startAgent('left');
    await using right = await startAgent('right');
    const { onLeft } = pairConfigs(left, right);
    left.service.declare(onLeft);
    const { pairId } = onLeft;
    const signal = new AbortController().signal;
    const dial = { endpoint: left.endpoint, pairId, peerPin: left.identity.pin, identity: right.identity, self };
    for (const line of bundleLines) {
      const dialled = await dialLine({ ...dial, line, bundle: 'evil-bundle', clock, signal });
      dialled.socket.resume().write(randomBytes(100_000));
      await closed(dialled.socket);
    }
    const { toLeft } = await connectAgents(left, right);
    assert.equal(toLeft.state.ready, 'Yes');
  });

  it('are refused by size and by field over an established pair, which goes on', async () => {
    const word = object({ word: required(string({ maxLength: 100 })) });
    const echo = jsonRoute({ method: 'POST', path: '/v1/echo', body: word, answer: async ({ body }) => body });
    await using left = await startAgent('left', [echo]);
    await using right = await startAgent('right');
    left.service.declare(pairConfigs(left, right).onLeft);
    const session = await controlSession(left, right);
    const post = async (body: string, headers = {}) => {
      const stream = session.request({ ':method': 'POST', ':path': '/v1/echo', ...headers });
      stream.on('error', () => {});
      stream.end(body);
      const [answer] = await once(stream, 'response');
      stream.close();
      return answer[':status'];
    };
    assert.equal(await post('x'.repeat(4 * 1024 * 1024 + 1)), 413);
    assert.equal(await post('{"word":'), 400);
    assert.equal(await post('{"word":7}'), 400);
    assert.equal(await post(JSON.stringify({ word: 'x'.repeat(101) })), 400);
    assert.equal(await post('{"word":"good"}'), 200);
    session.destroy();
  });
});

describe('attack: replayed messages', () => {
  it('a proof that was seen fits no other channel', async () => {
    await using agent = await startAgent('a');
    const { invitation } = agent.mint();
    const { pairId } = invitation;
    const first = await channelTo(agent);
    const proof = joinProof(proofKeyOf(invitation.secret), {
      role: 'joiner',
      exporter: first.exporter(pairId),
      joinerPin: stranger.pin,
      acceptorPin: agent.identity.pin,
      pairId,
    });
    first.socket.destroy();
    const second = await channelTo(agent);
    await writeFrame(second.socket, { protocol: 1, pairId, proof, ...self });
    const answer: Answer = await readFrame(second.socket, answerSchema, frameDeadline);
    assert.deepEqual([answer.verdict, answer.code], ['Refused', 'WrongCode']);
    assert.equal(agent.invitations.get(pairId)?.joinerPin, undefined);
    assert.equal(logged(agent, 'WrongCode').length, 1);
    second.socket.destroy();
  });

  it('the bytes of a whole join, sent again, are no handshake', async () => {
    await using agent = await startAgent('a');
    await using joiner = await startAgent('b');
    using wire = await startTappedWire(agent.endpoint, (bytes) => [bytes]);
    const { invitation } = agent.mint();
    await joiner.service.join({ ...invitation, endpoints: [wire.endpoint] });
    agent.invitations.set(invitation.pairId, { ...agent.mint().record, pairId: invitation.pairId });
    const again = connect(Number(agent.endpoint.split(':')[1]), '127.0.0.1');
    again.on('error', () => {}).resume();
    again.write(wire.recorded());
    await closed(again);
    assert.equal(agent.invitations.get(invitation.pairId)?.joinerPin, undefined);
    await eventually(() => logged(agent, 'UnsupportedProtocol').length > 0, 'logged');
  });

  it('a request whose bytes are doubled on the wire is not carried out twice: the connection ends', async () => {
    let calls = 0;
    const count = jsonRoute({
      method: 'POST',
      path: '/v1/count',
      async answer() {
        calls++;
      },
    });
    let doubling: 'On' | 'Off' = 'Off';
    await using left = await startAgent('left', [count]);
    await using right = await startAgent('right');
    using wire = await startTappedWire(left.endpoint, (bytes) => (doubling === 'On' ? [bytes, bytes] : [bytes]));
    const { onLeft, onRight } = pairConfigs(left, right);
    left.service.declare(onLeft);
    const toLeft = right.service.declare({ ...onRight, endpoints: [wire.endpoint] });
    await eventually(() => toLeft.state.ready === 'Yes', 'connected');
    doubling = 'On';
    const asked = toLeft.request({ method: 'POST', path: '/v1/count', answer: object({}) });
    await asked.catch(() => undefined);
    await eventually(() => toLeft.state.ready === 'No', 'the doubled record broke the connection');
    assert.ok(calls <= 1);
    doubling = 'Off';
    await eventually(() => toLeft.state.ready === 'Yes', 'and the pair comes back');
    assert.ok(calls <= 1);
  });
});

async function controlSession(left: Awaited<ReturnType<typeof startAgent>>, right: typeof left) {
  const [line] = bundleLines;
  const { pairId } = pairConfigs(left, right).onLeft;
  const signal = new AbortController().signal;
  const dial = { endpoint: left.endpoint, line, bundle: 'one-bundle', pairId, peerPin: left.identity.pin };
  const { socket } = await dialLine({ ...dial, identity: right.identity, self, clock, signal });
  return openClientSession(socket, clock);
}
