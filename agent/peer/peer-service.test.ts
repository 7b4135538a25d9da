import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { list, object, required, string } from '../../crds/schema/index.ts';
import { StorkError } from '../../kube/errors.ts';
import type { PeerRoute } from './peer.ts';
import { jsonRoute, streamRoute } from './routes.ts';
import { connectAgents, eventually, pairConfigs, startAgent } from './two-agents.ts';

const wordSchema = object({ word: required(string({ maxLength: 5_000_000 })) });

const echo = jsonRoute({
  method: 'POST',
  path: '/v1/echo/:name',
  body: wordSchema,
  answer: async ({ body, params, pair }) => ({ word: `${params.name} ${body.word} from ${pair.name}` }),
});
const refuseAll = jsonRoute({
  method: 'GET',
  path: '/v1/refuse',
  async answer() {
    throw new StorkError({ code: 'NotGranted', message: 'no', about: 'ns a', hint: 'ask', retryable: true });
  },
});
const breakDown = jsonRoute({
  method: 'GET',
  path: '/v1/break',
  async answer() {
    throw new TypeError('password=hunter2');
  },
});
const grantedOnly = jsonRoute({
  method: 'GET',
  path: '/v1/only/:namespace',
  async answer({ pair, params }) {
    if (pair.grant.namespaces.includes(params.namespace ?? '')) return { namespaces: [...pair.grant.namespaces] };
    throw new StorkError({ code: 'OutsideGrant', message: `The pair does not grant ${params.namespace}` });
  },
});
const mirror = streamRoute({ path: '/v1/mirror', admit: async () => (stream: Duplex) => void stream.pipe(stream) });
const routes: readonly PeerRoute[] = [echo, refuseAll, breakDown, grantedOnly, mirror];

describe('a pair link', () => {
  it('lets both sides ask, whoever dialled, and knows round trip and skew', async () => {
    await using left = await startAgent('left', routes);
    await using right = await startAgent('right', routes);
    const { toRight, toLeft } = await connectAgents(left, right);
    for (const [peer, name] of [
      [toRight, 'to-left'],
      [toLeft, 'to-right'],
    ] as const) {
      const answer = await peer.request({
        method: 'POST',
        path: '/v1/echo/x',
        body: { word: 'hi' },
        answer: wordSchema,
      });
      assert.equal(answer.word, `x hi from ${name}`);
    }
    await eventually(() => toRight.link.clockSkewMs !== undefined && toLeft.link.roundTripMs !== undefined, 'measured');
    assert.equal(toRight.cluster, 'right');
    assert.equal(toLeft.cluster, 'left');
    // One clock; what is measured of it is as exact as the round trip was short.
    assert.ok(Math.abs(toLeft.link.clockSkewMs ?? Number.NaN) < 5000);
  });

  it('carries errors with code, about, hint and whether trying again helps', async () => {
    await using left = await startAgent('left', routes);
    await using right = await startAgent('right', routes);
    const { toLeft } = await connectAgents(left, right);
    const ask = (path: string) => toLeft.request({ method: 'GET', path, answer: wordSchema });
    await assert.rejects(ask('/v1/refuse'), { code: 'NotGranted', about: 'ns a', hint: 'ask', retryable: true });
    await assert.rejects(ask('/v1/nothing'), { code: 'UnknownRoute' });
    await assert.rejects(
      ask('/v1/break'),
      (error) => error instanceof StorkError && !error.message.includes('hunter2'),
    );
  });

  it('uses a wider grant from the next request on', async () => {
    await using left = await startAgent('left', routes);
    await using right = await startAgent('right', routes);
    const { toLeft } = await connectAgents(left, right);
    const { onLeft } = pairConfigs(left, right);
    const answer = object({ namespaces: required(list(string())) });
    const ask = () => toLeft.request({ method: 'GET', path: '/v1/only/shop', answer });
    await assert.rejects(ask(), { code: 'OutsideGrant' });
    left.service.declare({ ...onLeft, grant: { ...onLeft.grant, namespaces: ['*', 'shop'] } });
    assert.deepEqual((await ask()).namespaces, ['*', 'shop']);
  });

  it('refuses messages above 4 MiB on either side and misshapen ones by path', async () => {
    await using left = await startAgent('left', routes);
    await using right = await startAgent('right', routes);
    const { toLeft } = await connectAgents(left, right);
    const send = (body: unknown) => toLeft.request({ method: 'POST', path: '/v1/echo/x', body, answer: wordSchema });
    await assert.rejects(send({ word: 'x'.repeat(5_000_000) }), { code: 'MessageTooLarge' });
    await assert.rejects(send({ word: 'x'.repeat(4 * 1024 * 1024 - 15) }), { code: 'MessageTooLarge' });
    await assert.rejects(send({ wrod: 'x' }), { code: 'InvalidPeerMessage', about: 'word' });
    assert.equal((await send({ word: 'still fine' })).word, 'x still fine from to-right');
  });

  it('streams bytes both ways at once, with half-close', async () => {
    await using left = await startAgent('left', routes);
    await using right = await startAgent('right', routes);
    const { toRight } = await connectAgents(left, right);
    const stream = await toRight.openStream('/v1/mirror');
    const received = text(stream);
    const piece = 'x'.repeat(1 << 20);
    for (let index = 0; index < 20; index++) {
      if (!stream.write(piece)) await once(stream, 'drain');
    }
    stream.end();
    assert.equal((await received).length, 20 << 20);
  });

  it('ends a request when the caller gives up or the deadline passes', async () => {
    let heard: unknown;
    const hang = jsonRoute({
      method: 'GET',
      path: '/v1/hang',
      answer: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            heard = signal.reason;
            reject(signal.reason);
          });
        }),
    });
    await using left = await startAgent('left', [hang]);
    await using right = await startAgent('right');
    const { toLeft } = await connectAgents(left, right);
    const ask = { method: 'GET', path: '/v1/hang', answer: object({}) } as const;
    await assert.rejects(toLeft.request({ ...ask, deadlineMs: 30 }), { code: 'PeerTimeout', retryable: true });
    await eventually(() => heard !== undefined, 'the route heard of it');
    const stop = new AbortController();
    const asked = toLeft.request({ ...ask, signal: stop.signal });
    stop.abort(new StorkError({ code: 'Stopped', message: 'enough' }));
    await assert.rejects(asked, { code: 'Stopped' });
  });

  it('connects again after the connections broke, and fails what was open', async () => {
    await using left = await startAgent('left', routes);
    await using right = await startAgent('right', routes);
    const { toRight, toLeft } = await connectAgents(left, right);
    const stream = await toLeft.openStream('/v1/mirror');
    const closed = once(stream, 'close');
    left.service.declare({ ...pairConfigs(left, right).onLeft, admission: 'AwaitingConfirmation' });
    await closed;
    await assert.rejects(toRight.request({ method: 'GET', path: '/v1/hello', answer: object({}) }), {
      code: 'PeerNotConnected',
    });
    await eventually(() => toLeft.link.state === 'Waiting', 'the other side knows why');
    left.service.declare(pairConfigs(left, right).onLeft);
    await eventually(() => toRight.state.ready === 'Yes' && toLeft.state.ready === 'Yes', 'connected again');
  });
});
