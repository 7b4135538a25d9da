import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { applyDefaults, renderCrd } from '../../crds/schema/index.ts';
import { type ClusterPair, type ClusterPairSpecInput, clusterPairs } from '../../crds/v1alpha1/index.ts';
import { type CustomResourceDefinition, core } from '../../kube/client/core.ts';
import { systemClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { memoryLog } from '../../kube/log.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import type { EventFacts } from '../../kube/runtime/events.ts';
import { informerSet } from '../../kube/runtime/informer-set.ts';
import { ensureIdentity } from '../peer/identity.ts';
import { fingerprintOf, parseCode, renderCode } from '../peer/invitation.ts';
import { createPeerService } from '../peer/peer-service.ts';
import { eventually } from '../peer/two-agents.ts';
import { createPairing } from './pairing.ts';

const agentNamespace = 'stork-system';

/** A cluster with an agent that pairs: API server in memory, sockets on loopback. */
async function startCluster(cluster: string) {
  const clock = systemClock();
  const server = fakeApiServer({ clock });
  server.register(assertCrd(renderCrd(clusterPairs)));
  const client = server.client();
  for (const name of [agentNamespace, 'shop']) {
    await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  const agent = await startAgent(cluster, client);
  let running = agent;
  const read = (name: string, namespace = agentNamespace) => client.get(clusterPairs, { namespace, name });
  const secret = async (name: string, namespace = agentNamespace) =>
    (await client.find(core.secrets, { namespace, name }))?.data;
  return {
    client,
    read,
    secret,
    agent: () => running,
    async restart() {
      await running[Symbol.asyncDispose]();
      running = await startAgent(cluster, client, running.port);
    },
    create: (name: string, spec: ClusterPairSpecInput, namespace = agentNamespace) =>
      client.create(
        clusterPairs,
        applyDefaults(clusterPairs.schema, {
          apiVersion: clusterPairs.apiVersion,
          kind: clusterPairs.kind,
          metadata: { name, namespace },
          spec,
        }),
      ),
    /** Accepts under that name. @returns the code, as the plugin would read it */
    async accept(name: string, spec: Partial<ClusterPairSpecInput> = {}) {
      const endpoints = [`127.0.0.1:${running.port}`];
      await this.create(name, { accept: { endpoints, ttlSeconds: 3600 }, grant: { namespaces: ['*'] }, ...spec });
      const found = await until(
        () => secret(`stork-invite-${name}`),
        (data) => data?.code !== undefined,
        'a code',
      );
      return Buffer.from(found?.code ?? '', 'base64').toString();
    },
    async join(name: string, code: string) {
      await client.create(core.secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: `stork-join-${name}`, namespace: agentNamespace },
        data: { code: Buffer.from(code).toString('base64') },
      });
      await this.create(name, { join: { codeSecret: `stork-join-${name}` }, grant: { namespaces: ['*'] } });
    },
    confirm: (name: string, confirmedFingerprint: string) =>
      client.patch(
        clusterPairs,
        { namespace: agentNamespace, name },
        { type: 'merge', body: { spec: { confirmedFingerprint } } },
      ),
    until: (name: string, holds: (pair: ClusterPair) => boolean, what: string) => until(() => read(name), holds, what),
    condition: async (name: string, type: string) => findCondition((await read(name)).status?.conditions, type),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

async function startAgent(cluster: string, client: ReturnType<ReturnType<typeof fakeApiServer>['client']>, port = 0) {
  const clock = systemClock();
  const log = memoryLog();
  const random = () => 0.5;
  const events: EventFacts[] = [];
  const identity = await ensureIdentity({ client, namespace: agentNamespace, randomBytes, now: clock.now() });
  const informers = informerSet({ client, clock, random, log });
  const service = createPeerService({
    identity,
    self: { cluster, version: 'v0' },
    routes: [],
    agentNamespace,
    clock,
    random,
    randomBytes,
    log,
  });
  const pairing = createPairing({
    client,
    informers,
    service,
    agentNamespace,
    events: { record: (event) => void events.push(event) },
    clock,
    random,
    randomBytes,
    log,
    port,
    host: '127.0.0.1',
  });
  const stop = new AbortController();
  const running = pairing.run(stop.signal);
  return {
    service,
    identity,
    events,
    log,
    port: await Promise.race([pairing.listening, running.then(() => 0)]),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await service[Symbol.asyncDispose]();
      await informers[Symbol.asyncDispose]();
    },
  };
}

/** The same object on the wire; the two modules type it separately. */
const assertCrd = (crd: unknown) => crd as CustomResourceDefinition;

type TestCluster = Awaited<ReturnType<typeof startCluster>>;

async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean, what: string): Promise<T> {
  const deadline = new AbortController();
  const timer = systemClock().after(5000, () => deadline.abort(new Error(`not within 5 s: ${what}`)));
  for (;;) {
    const value = await read();
    deadline.signal.throwIfAborted();
    if (holds(value)) {
      timer[Symbol.dispose]();
      return value;
    }
    await systemClock().sleep(5);
  }
}

const isReady = (pair: ClusterPair) =>
  pair.status?.schedulerStatus === 'Ready' && pair.status.storageStatus === 'Ready';

/** Pairs `b` with `a` as two admins would. */
async function pairUp(a: TestCluster, b: TestCluster) {
  await b.join('to-a', await a.accept('to-b'));
  const accepted = await a.until('to-b', (pair) => pair.status?.peer !== undefined, 'somebody joined');
  await a.confirm('to-b', accepted.status?.peer?.fingerprint ?? '');
  await a.until('to-b', isReady, 'ready on a');
  await b.until('to-a', isReady, 'ready on b');
}

describe('pairing', () => {
  it('goes from code to Ready on both sides, with one confirmation in between', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    assert.equal((await a.read('to-b')).status?.schedulerStatus ?? 'Pending', 'Pending');
    await b.join('to-a', code);
    const accepted = await a.until('to-b', (pair) => pair.status?.peer !== undefined, 'somebody joined');
    assert.equal(accepted.status?.peer?.fingerprint, b.agent().identity.fingerprint);
    assert.equal(accepted.status?.peer?.cluster, 'b');
    assert.equal((await a.condition('to-b', 'Confirmed'))?.reason, 'AwaitingConfirmation');
    const waiting = await b.until(
      'to-a',
      (pair) => findCondition(pair.status?.conditions, 'Connected')?.reason === 'AwaitingConfirmation',
      'the joiner is told to wait',
    );
    assert.equal(waiting.status?.schedulerStatus, 'Pending');
    assert.equal(waiting.status?.ownFingerprint, b.agent().identity.fingerprint);
    assert.equal(waiting.status?.peer?.fingerprint, a.agent().identity.fingerprint);

    await a.confirm('to-b', accepted.status?.peer?.fingerprint ?? '');
    await a.until('to-b', isReady, 'ready on a');
    const ready = await b.until('to-a', isReady, 'ready on b');
    assert.equal(ready.status?.peer?.cluster, 'a');
    assert.notEqual(ready.status?.lastSeenTime, undefined);
    await until(
      () => a.secret('stork-invite-to-b'),
      (data) => data === undefined,
      'the code is gone on a',
    );
    await until(
      () => b.secret('stork-join-to-a'),
      (data) => data === undefined,
      'the code is gone on b',
    );
  });

  it('continues after both agents were replaced, without any admin', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    await a.restart();
    await b.restart();
    await eventually(() => a.agent().service.peers.findById(idOf(a)) !== undefined, 'declared again');
    await eventually(
      () => [a, b].every((side) => side.agent().service.peers.findById(idOf(side))?.state.ready === 'Yes'),
      'connected again',
      10_000,
    );
  });

  it('puts no code, key or proof into any object but Secrets, nor into the log', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    const { secret } = parseCode(code);
    await b.join('to-a', code);
    await a.until('to-b', (pair) => pair.status?.peer !== undefined, 'somebody joined');
    const written = JSON.stringify([
      await a.read('to-b'),
      await b.read('to-a'),
      a.agent().log.lines,
      b.agent().log.lines,
      a.agent().events,
    ]);
    assert.equal(
      [code, secret, 'PRIVATE KEY'].some((kept) => written.includes(kept)),
      false,
    );
  });

  it('revokes at once when either ClusterPair is deleted, and tells the other side', async () => {
    for (const deletes of ['a', 'b'] as const) {
      await using a = await startCluster('a');
      await using b = await startCluster('b');
      await pairUp(a, b);
      const [gone, left, goneName, leftName] = deletes === 'a' ? [a, b, 'to-b', 'to-a'] : [b, a, 'to-a', 'to-b'];
      const peer = left.agent().service.peers.findById(idOf(left));
      const { uid } = (await gone.read(goneName)).metadata;
      await gone.client.delete(clusterPairs, { namespace: agentNamespace, name: goneName });
      await eventually(() => peer?.state.ready === 'No', 'the link is closed');
      const told = await left.until(
        leftName,
        (pair) => pair.status?.schedulerStatus === 'Error',
        'the other side knows',
      );
      assert.equal(findCondition(told.status?.conditions, 'Connected')?.reason, 'Revoked');
      await until(
        () => gone.secret(`stork-pair-${uid}`),
        (data) => data === undefined,
        'the trust is gone',
      );
    }
  });

  it('forgets the trust of a ClusterPair that was deleted while no agent ran', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    const { uid } = (await a.read('to-b')).metadata;
    await a.agent()[Symbol.asyncDispose]();
    await a.client.delete(clusterPairs, { namespace: agentNamespace, name: 'to-b' });
    await a.restart();
    assert.equal(await a.secret(`stork-pair-${uid}`), undefined);
    const told = await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'b is turned away');
    assert.equal(findCondition(told.status?.conditions, 'Connected')?.reason, 'Revoked');
  });
});

/** The pair id both sides use, as the one pair that a test made has it. */
const idOf = (side: TestCluster) => side.agent().service.declared()[0]?.pairId ?? '';

describe('pairing under attack', () => {
  const altered: Readonly<Record<string, (code: string) => string>> = {
    mistyped: (code) => `${code.slice(0, 40)}${code[40] === 'A' ? 'B' : 'A'}${code.slice(41)}`,
    'cut off': (code) => code.slice(0, -12),
    'not one at all': () => 'hello',
  };
  for (const [what, alter] of Object.entries(altered)) {
    it(`refuses a code that is ${what}, in one message, without asking anybody`, async () => {
      await using a = await startCluster('a');
      await using b = await startCluster('b');
      await b.join('to-a', alter(await a.accept('to-b')));
      await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
      const joined = await b.condition('to-a', 'Joined');
      assert.equal(joined?.status, 'False');
      assert.equal(joined?.reason, 'InvalidCode');
      assert.match(joined?.message ?? '', /pairing code/);
      assert.equal((await a.read('to-b')).status?.peer, undefined);
    });
  }

  it('refuses a code with another secret, whatever its checksum', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await b.join('to-a', renderCode({ ...parseCode(code), secret: 'A'.repeat(43) }));
    await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
    assert.equal((await b.condition('to-a', 'Joined'))?.reason, 'WrongCode');
    assert.equal((await a.read('to-b')).status?.peer, undefined);
    assert.notEqual(await a.secret('stork-invite-to-b'), undefined, 'the true code still works');
    assert.ok(a.agent().log.lines.some(({ fields }) => fields.code === 'WrongCode'));
  });

  it('refuses an unknown pair id like a wrong secret would be: with a code of its own, and nothing changed', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await b.join('to-a', renderCode({ ...parseCode(code), pairId: '0'.repeat(32) }));
    await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
    assert.equal((await b.condition('to-a', 'Joined'))?.reason, 'UnknownCode');
  });

  it('refuses an expired code and takes it away on both sides', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await expireInvitation(a, 'to-b');
    await b.join('to-a', code);
    await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
    const joined = await b.condition('to-a', 'Joined');
    assert.equal(joined?.reason, 'CodeExpired');
    await a.restart();
    await a.until('to-b', (pair) => pair.status?.schedulerStatus === 'Error', 'a says so too');
    assert.equal((await a.condition('to-b', 'Invited'))?.reason, 'CodeExpired');
    await until(
      () => a.secret('stork-invite-to-b'),
      (data) => data === undefined,
      'the code is gone',
    );
    await until(
      () => b.secret('stork-join-to-a'),
      (data) => data === undefined,
      'the code is gone on b',
    );
  });

  it('leaves the pair unconfirmed when a stolen code was used first, and shows both keys to both admins', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await using thief = await startCluster('thief');
    const code = await a.accept('to-b');
    await thief.join('stolen', code);
    await a.until('to-b', (pair) => pair.status?.peer !== undefined, 'the thief joined');
    await b.join('to-a', code);
    await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'the victim is refused');
    const [thiefKey, victimKey] = [thief, b].map((side) => side.agent().identity.fingerprint);
    const onB = await b.condition('to-a', 'Joined');
    assert.equal(onB?.reason, 'CodeUsed');
    assert.ok(onB?.message.includes(thiefKey ?? '-') && onB.message.includes(victimKey ?? '-'));
    const onA = await a.until(
      'to-b',
      (pair) => findCondition(pair.status?.conditions, 'Joined')?.message.includes(victimKey ?? '-') === true,
      'the accepting admin sees the second key',
    );
    assert.equal(onA.status?.peer?.fingerprint, thiefKey);
    assert.equal(onA.status?.schedulerStatus, 'Pending');
    // Even a confirmation of the victim's key doesn't let the thief in.
    await a.confirm('to-b', victimKey ?? '');
    await a.until('to-b', (pair) => pair.status?.schedulerStatus === 'Error', 'mismatch');
    assert.equal((await a.condition('to-b', 'Confirmed'))?.reason, 'FingerprintMismatch');
    assert.equal(thief.agent().service.declared()[0]?.state.ready, 'No');
  });

  it('does not follow who edits status: the key it trusts lies elsewhere', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    const attacker = fingerprintOf(randomBytes(32).toString('base64url'));
    await a.client.patch(
      clusterPairs,
      { namespace: agentNamespace, name: 'to-b' },
      { type: 'merge', body: { status: { peer: { fingerprint: attacker } } } },
      { subresource: 'status' },
    );
    const { identity } = b.agent();
    await a.until('to-b', (pair) => pair.status?.peer?.fingerprint === identity.fingerprint, 'status is put right');
    assert.equal(a.agent().service.declared()[0]?.state.ready, 'Yes');
  });

  it('closes the link when the confirmation is taken back', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    await a.confirm('to-b', fingerprintOf(randomBytes(32).toString('base64url')));
    await eventually(() => b.agent().service.declared()[0]?.state.ready === 'No', 'closed');
  });

  it('does not pair with itself', async () => {
    await using a = await startCluster('a');
    await a.join('to-me', await a.accept('to-b'));
    await a.until('to-me', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
    assert.equal((await a.condition('to-me', 'Joined'))?.reason, 'SelfPair');
  });

  it('does not overwrite a Secret that only looks like its own', async () => {
    await using a = await startCluster('a');
    const mine = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'stork-invite-to-b', namespace: 'shop' } };
    await a.client.create(core.secrets, { ...mine, data: { keep: 'bWU=' } });
    const accept = { endpoints: ['127.0.0.1:1'] };
    await a.create('to-b', { accept, grant: { namespaces: ['shop'] } }, 'shop');
    const pair = await until(
      () => a.read('to-b', 'shop'),
      (read) => read.status?.schedulerStatus === 'Error',
      'refused',
    );
    assert.equal(findCondition(pair.status?.conditions, 'Invited')?.reason, 'SecretNotOurs');
    assert.deepEqual(await a.secret('stork-invite-to-b', 'shop'), { keep: 'bWU=' });
  });
});

/** Ages the invitation: what the agent keeps says that it ended. */
async function expireInvitation(side: TestCluster, name: string): Promise<void> {
  const { uid } = (await side.read(name)).metadata;
  const held = await side.client.get(core.secrets, { namespace: agentNamespace, name: `stork-pair-${uid}` });
  const trust = JSON.parse(Buffer.from(held.data?.['trust.json'] ?? '', 'base64').toString());
  trust.invitation.expires = 1_700_000_000;
  const encoded = Buffer.from(JSON.stringify(trust)).toString('base64');
  await side.client.replace(core.secrets, { ...held, data: { 'trust.json': encoded } });
}
