import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { systemClock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { silentLog } from '../../kube/log.ts';
import type { GateAnswer, MoverReport } from '../mover/contract.ts';
import type { MoverAuthentication } from './mover-authentication.ts';
import { startMoverEndpoint } from './mover-endpoint.ts';
import type { RunEntry } from './peer.ts';
import { streamRoute } from './routes.ts';
import { createRunRegistry } from './run-registry.ts';
import { issueServingTls } from './serving-tls.ts';
import { createStreamRendezvous } from './stream-rendezvous.ts';
import { connectAgents, eventually, startAgent } from './two-agents.ts';

/** Tokens are pod names here; the real review is tested in mover-authentication.test.ts. */
const authentication: MoverAuthentication = {
  async podOf(authorization) {
    const name = authorization?.replace('Bearer ', '');
    if (name !== undefined && name !== '') return { namespace: 'stork-system', name, uid: `uid-${name}` };
    throw new StorkError({ code: 'InvalidMoverToken', message: 'no token' });
  },
};

async function startEndpoint() {
  const now = new Date('2026-11-21T00:00:00Z');
  const tls = issueServingTls({ authorityName: 'ca', dnsNames: ['stork-agent.stork-system.svc'], now, randomBytes });
  const runs = createRunRegistry();
  const endpoint = await startMoverEndpoint({
    tls,
    runs,
    authentication,
    port: 0,
    host: '127.0.0.1',
    log: silentLog(),
  });
  const sessions: ClientHttp2Session[] = [];
  return {
    runs,
    mover() {
      const session = connect(`https://127.0.0.1:${endpoint.port}`, {
        ca: tls.authority,
        servername: 'stork-agent.stork-system.svc',
      });
      session.on('error', () => {});
      sessions.push(session);
      return session;
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await endpoint[Symbol.asyncDispose]();
    },
  };
}

async function post(session: ClientHttp2Session, path: string, pod: string, body?: unknown) {
  const stream = session.request({ ':method': 'POST', ':path': path, authorization: `Bearer ${pod}` });
  stream.end(body === undefined ? undefined : JSON.stringify(body));
  const [headers] = await once(stream, 'response');
  return { status: Number(headers[':status']), body: await text(stream) };
}

function openMoverStream(session: ClientHttp2Session, role: string, pod: string): ClientHttp2Stream {
  const path = `/v1/runs/run1/stream?role=${role}`;
  const stream = session.request(
    { ':method': 'POST', ':path': path, authorization: `Bearer ${pod}` },
    { endStream: false },
  );
  stream.on('error', () => {});
  return stream;
}

const anEntry = (over: Partial<RunEntry> = {}): RunEntry => ({
  role: 'destination',
  mayAct: (pod) => pod.name === 'mover',
  connect: async () => {
    throw new StorkError({ code: 'PeerNotConnected', message: 'no' });
  },
  onReport: () => {},
  gate: async () => ({ state: 'Go' }),
  ...over,
});

const report: MoverReport = {
  version: 1,
  run: 'run1',
  role: 'destination',
  phase: 'Copying',
  bytesDone: 1,
  bytesTotal: 2,
  bytesSent: 3,
  filesDone: 4,
  filesTotal: 5,
};

describe('the mover endpoint', () => {
  it('lets in only the mover of that run and role', async () => {
    await using agent = await startEndpoint();
    const seen: MoverReport[] = [];
    using _run = agent.runs.register('run1', anEntry({ onReport: (given) => void seen.push(given) }));
    const session = agent.mover();
    const ask = (pod: string, over: object = {}) => post(session, '/v1/runs/run1/report', pod, { ...report, ...over });
    assert.equal((await ask('mover')).status, 204);
    assert.equal((await ask('stranger')).status, 404);
    assert.equal((await ask('')).status, 401);
    assert.equal((await ask('mover', { role: 'source' })).status, 404);
    assert.equal((await ask('mover', { run: 'run2' })).status, 400);
    assert.equal((await ask('mover', { message: 'x'.repeat(20_000) })).status, 413);
    assert.equal((await post(session, '/v1/runs/run2/report', 'mover', { ...report, run: 'run2' })).status, 404);
    assert.equal((await post(session, '/v1/secrets', 'mover')).status, 404);
    assert.deepEqual(seen, [{ ...report, message: undefined, volumes: undefined }]);
  });

  it('answers a gate as its registrant does', async () => {
    await using agent = await startEndpoint();
    const answers: GateAnswer[] = [
      { state: 'Wait', retryAfterMs: 5 },
      { state: 'Refused', reason: 'busy' },
      { state: 'Go' },
    ];
    using _run = agent.runs.register('run1', anEntry({ gate: async () => answers.shift() ?? { state: 'Go' } }));
    const session = agent.mover();
    const ask = () => post(session, '/v1/runs/run1/gate/apply', 'mover', {});
    assert.deepEqual(await ask(), { status: 202, body: '{"state":"Wait","retryAfterMs":5}' });
    assert.deepEqual(await ask(), { status: 409, body: '{"state":"Refused","reason":"busy"}' });
    assert.equal((await ask()).status, 200);
  });
});

/** Source mover → agent A → link → agent B → destination mover, with everything real but the movers. */
async function startRelay() {
  const rendezvous = createStreamRendezvous(systemClock());
  const offerStream = streamRoute({
    path: '/v1/runs/:run/stream',
    admit:
      async ({ params }) =>
      (stream: Duplex) =>
        rendezvous.offer(params.run ?? '', stream),
  });
  const resources = new AsyncDisposableStack();
  const a = resources.use(await startAgent('a'));
  const b = resources.use(await startAgent('b', [offerStream]));
  const { toRight: toB } = await connectAgents(a, b);
  const endpointA = resources.use(await startEndpoint());
  const endpointB = resources.use(await startEndpoint());
  const source = endpointA.runs.register(
    'run1',
    anEntry({ role: 'source', connect: (signal) => toB.openStream('/v1/runs/run1/stream', signal) }),
  );
  const destination = endpointB.runs.register(
    'run1',
    anEntry({ connect: (signal) => rendezvous.take('run1', signal) }),
  );
  return {
    source,
    destination,
    openSource: () => openMoverStream(endpointA.mover(), 'source', 'mover'),
    openDestination: () => openMoverStream(endpointB.mover(), 'destination', 'mover'),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

describe('the relay', () => {
  it('carries bytes both ways between movers, with half-close and counts', async () => {
    await using relay = await startRelay();
    const destination = relay.openDestination();
    const source = relay.openSource();
    const received = text(destination);
    const answered = text(source);
    const piece = Buffer.alloc(1 << 20, 'x');
    for (let index = 0; index < 32; index++) {
      if (!source.write(piece)) await once(source, 'drain');
    }
    source.end();
    assert.equal((await received).length, 32 << 20);
    destination.end('done');
    assert.equal(await answered, 'done');
    assert.deepEqual({ ...relay.source.bytes }, { toPeer: 32 << 20, fromPeer: 4 });
    assert.deepEqual({ ...relay.destination.bytes }, { toPeer: 4, fromPeer: 32 << 20 });
  });

  it('holds back a fast source: at most 4 MiB wait in each agent for a destination that does not read', async () => {
    await using relay = await startRelay();
    relay.openDestination().pause();
    const source = relay.openSource();
    const piece = Buffer.alloc(64 * 1024);
    let sent = 0;
    for (;;) {
      if (!source.write(piece) && !(await settlesWithin(once(source, 'drain'), 500))) break;
      sent += piece.length;
    }
    assert.ok(sent < 10 << 20, `${sent} bytes were taken in`);
    assert.ok(relay.source.bytes.toPeer - relay.destination.bytes.fromPeer <= 4 << 20);
  });

  const deaths: Readonly<Record<string, (source: ClientHttp2Stream) => void>> = {
    'gives up': (source) => source.destroy(),
    fails: (source) => source.destroy(new Error('broken')),
    'is killed': (source) => source.session?.socket.destroy(),
  };
  for (const [what, die] of Object.entries(deaths)) {
    it(`breaks the other mover's stream when one ${what}, and connects their next ones`, async () => {
      await using relay = await startRelay();
      const destination = relay.openDestination();
      const source = relay.openSource();
      source.write('hello');
      await once(destination, 'data');
      const destinationClosed = closed(destination);
      die(source);
      await destinationClosed;
      assert.notEqual(destination.rstCode, 0, 'a break never looks like an end');

      const nextDestination = relay.openDestination();
      const nextSource = relay.openSource();
      nextSource.write('again');
      assert.equal(String((await once(nextDestination, 'data'))[0]), 'again');
    });
  }

  it('replaces a stream when its mover opens another, and ends all when the run ends', async () => {
    await using relay = await startRelay();
    const first = relay.openDestination();
    const source = relay.openSource();
    source.write('one');
    await once(first, 'data');
    const broken = [closed(first), closed(source)];
    const second = relay.openDestination();
    await Promise.all(broken);
    const nextSource = relay.openSource();
    nextSource.write('two');
    assert.equal(String((await once(second, 'data'))[0]), 'two');
    const ended = [closed(second), closed(nextSource)];
    relay.destination[Symbol.dispose]();
    await Promise.all(ended);
    await eventually(() => second.destroyed, 'gone');
  });
});

/** Unlike `once`, doesn't mind an error before. */
const closed = (stream: Duplex) => new Promise<void>((resolve) => void stream.once('close', () => resolve()));

async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const late = systemClock()
    .sleep(ms)
    .then(() => false);
  return Promise.race([promise.then(() => true), late]);
}
