import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls';
import { systemClock } from '../../kube/clock.ts';
import { createIdentity } from './identity.ts';
import { joinProof, proofKeyOf } from './invitation.ts';
import { dialChannel } from './link/channel.ts';
import { bundleLines, dialLine } from './link/dial.ts';
import { readFrame, writeFrame } from './link/frames.ts';
import { openClientSession } from './link/http2-session.ts';
import { type Answer, answerSchema } from './link/preamble.ts';
import { streamRoute } from './routes.ts';
import { connectAgents, eventually, pairConfigs, startAgent, type TestAgent } from './two-agents.ts';

const clock = systemClock();
const stranger = createIdentity({ randomBytes, now: clock.now() });
const self = { cluster: 'c', version: 'v0' };

function rawConnection(agent: TestAgent, options: ConnectionOptions): TLSSocket {
  const port = Number(agent.endpoint.split(':')[1]);
  const socket = connect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...options,
  });
  socket.on('error', () => {});
  return socket;
}

const credentials = { key: stranger.key, cert: stranger.certificate };
const closed = (stream: Duplex) => new Promise<void>((resolve) => void stream.once('close', () => resolve()));
const wasLogged = (agent: TestAgent, code: string) => agent.log.lines.some(({ fields }) => fields.code === code);

/** A join channel of `identity`, its pin checked. */
const joinChannel = (agent: TestAgent, identity = stranger) =>
  dialChannel({ endpoint: agent.endpoint, purpose: 'join', identity, peerPin: agent.identity.pin, clock });

const frameDeadline = { clock, deadlineMs: 2000 };

describe('connections that are no channel of ours', () => {
  const attempts: Readonly<Record<string, ConnectionOptions>> = {
    'TLS 1.2': { ...credentials, maxVersion: 'TLSv1.2', ALPNProtocols: ['stork-join/1'] },
    'no client certificate': { ALPNProtocols: ['stork-join/1'] },
    'no protocol named': credentials,
    'another protocol named': { ...credentials, ALPNProtocols: ['h2'] },
  };
  for (const [what, options] of Object.entries(attempts)) {
    it(`are refused and logged: ${what}`, async () => {
      await using agent = await startAgent('a');
      const socket = rawConnection(agent, options);
      await closed(socket);
      await eventually(() => wasLogged(agent, 'UnsupportedProtocol'), 'logged');
    });
  }

  it('are dropped, oldest first, when too many say nothing', async () => {
    await using agent = await startAgent('a');
    const silent = Array.from({ length: 70 }, () =>
      rawConnection(agent, { ...credentials, ALPNProtocols: ['stork-join/1'] }),
    );
    await Promise.race(silent.map(closed));
    const { invitation } = agent.mint();
    await using joiner = await startAgent('b');
    assert.equal((await joiner.service.join(invitation)).acceptor.cluster, 'a');
    for (const socket of silent) socket.destroy();
  });
});

describe('malformed preambles', () => {
  const frame = (length: number, body: string) => {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(length);
    return Buffer.concat([header, Buffer.from(body)]);
  };
  const whole = (body: string) => frame(Buffer.byteLength(body), body);
  const bytes: Readonly<Record<string, Buffer>> = {
    'a length of 4 GiB': frame(0xffffffff, 'x'),
    'a length of nothing': frame(0, ''),
    'something above the cap': frame(16 * 1024 + 1, 'x'.repeat(20_000)),
    'no JSON': whole('{"protocol":'),
    'another type': whole('[1,2]'),
    'missing fields': whole('{"protocol":1}'),
    'a field of the wrong form': whole(
      JSON.stringify({ protocol: 1, pairId: '../../etc', proof: 'x'.repeat(43), cluster: 'c', version: 'v' }),
    ),
    'control characters in a name': whole(
      JSON.stringify({
        protocol: 1,
        pairId: 'a'.repeat(32),
        proof: 'x'.repeat(43),
        cluster: '\u001b[2J',
        version: 'v',
      }),
    ),
    'an HTTP request': Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  };
  for (const [what, sent] of Object.entries(bytes)) {
    it(`end the connection, logged: ${what}`, async () => {
      await using agent = await startAgent('a');
      for (const purpose of ['join', 'forward', 'reverse'] as const) {
        const endpoint = agent.endpoint;
        const channel = await dialChannel({
          endpoint,
          purpose,
          identity: stranger,
          peerPin: agent.identity.pin,
          clock,
        });
        channel.socket.resume().write(sent);
        await closed(channel.socket);
      }
      await eventually(
        () => agent.log.lines.filter(({ fields }) => fields.code === 'InvalidFrame').length === 3,
        'logged',
      );
    });
  }

  it('end the connection when HTTP/2 is broken after the preamble, and the agent goes on', async () => {
    await using left = await startAgent('left');
    await using right = await startAgent('right');
    const { onLeft } = pairConfigs(left, right);
    left.service.declare(onLeft);
    for (const line of bundleLines) {
      const dialled = await dialLine({
        endpoint: left.endpoint,
        line,
        bundle: 'evil-bundle',
        pairId: onLeft.pairId,
        peerPin: left.identity.pin,
        identity: right.identity,
        self,
        clock,
        signal: new AbortController().signal,
      });
      dialled.socket.resume().write(randomBytes(100_000));
      await closed(dialled.socket);
    }
    const { toLeft } = await connectAgents(left, right);
    assert.equal(toLeft.state.ready, 'Yes');
  });
});

describe('somebody in the middle', () => {
  it('is recognised by its key, whatever certificate it shows, before a byte is sent', async () => {
    const received: Buffer[] = [];
    const server = createServer(
      { ...credentials, requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['stork-join/1', 'stork-pair/1'] },
      (socket) => socket.on('error', () => {}).on('data', (bytes) => void received.push(Buffer.from(bytes))),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const endpoint = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;

    await using genuine = await startAgent('genuine');
    await using victim = await startAgent('victim');
    const { invitation } = genuine.mint();
    await assert.rejects(victim.service.join({ ...invitation, endpoints: [endpoint] }), {
      code: 'WrongPin',
      retryable: false,
    });
    const peer = victim.service.declare({ ...pairConfigs(genuine, victim).onRight, endpoints: [endpoint] });
    await eventually(() => peer.link.state === 'Refused' && peer.link.code === 'WrongPin', 'says so');
    assert.equal(Buffer.concat(received).length, 0);
    server.close();

    const found = await victim.service.join({ ...invitation, endpoints: [endpoint, genuine.endpoint] });
    assert.equal(found.endpoint, genuine.endpoint, 'a good endpoint behind a bad one is still found');
  });

  it('gains nothing from a proof it saw: it fits one channel and one pair of keys', async () => {
    await using agent = await startAgent('a');
    const { invitation } = agent.mint();
    const { pairId } = invitation;
    const first = await joinChannel(agent);
    const proof = joinProof(proofKeyOf(invitation.secret), {
      role: 'joiner',
      exporter: first.exporter(pairId),
      joinerPin: stranger.pin,
      acceptorPin: agent.identity.pin,
      pairId,
    });
    first.socket.destroy();
    const second = await joinChannel(agent);
    await writeFrame(second.socket, { protocol: 1, pairId, proof, ...self });
    const answer: Answer = await readFrame(second.socket, answerSchema, frameDeadline);
    assert.deepEqual([answer.verdict, answer.code], ['Refused', 'WrongCode']);
    assert.equal(agent.invitations.get(pairId)?.joinerPin, undefined);
    second.socket.destroy();
  });
});

describe('a one-time code', () => {
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
  });

  it('is refused after its time, by the clock of who made it', async () => {
    await using agent = await startAgent('a');
    await using joiner = await startAgent('b');
    const { invitation } = agent.mint(60, new Date('2020-01-01T00:00:00Z'));
    await assert.rejects(joiner.service.join(invitation), { code: 'CodeExpired' });
    assert.equal(agent.invitations.get(invitation.pairId)?.joinerPin, undefined);
  });
});

describe('an established pair', () => {
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
    assert.ok(wasLogged(left, 'UnknownPair'));
  });

  it('breaks streams under way the moment it is revoked, and never looks whole', async () => {
    const received: number[] = [];
    const sink = streamRoute({
      path: '/v1/sink',
      admit: async () => (stream) => void stream.on('data', (piece) => received.push(piece.length)),
    });
    await using left = await startAgent('left', [sink]);
    await using right = await startAgent('right');
    const { toLeft } = await connectAgents(left, right);
    const stream = await toLeft.openStream('/v1/sink');
    stream.on('error', () => {});
    let aborted = false;
    stream.on('aborted', () => {
      aborted = true;
    });
    stream.write(Buffer.alloc(100_000));
    await eventually(() => received.length > 0, 'bytes flow');
    const gone = closed(stream);
    await left.service.revoke('uid-left');
    await gone;
    assert.equal(aborted, true);
    await eventually(() => right.revoked.includes('uid-right'), 'the peer was told');
    await assert.rejects(toLeft.openStream('/v1/sink'), { code: 'PeerNotConnected' });
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
