import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { parse, SchemaError } from '../../../crds/schema/index.ts';
import { core } from '../../../kube/client/core.ts';
import { StorkError } from '../../../kube/errors.ts';
import type { PeerCall } from '../../peer/peer.ts';
import { type IncomingVolume, paths } from '../messages.ts';
import { runId } from '../names.ts';
import { planObjectsAnswerSchema } from '../plan-messages.ts';
import { anApplication } from '../testing/an-application.ts';
import { answerRequest, testPair } from '../testing/connected-link.ts';
import type { TwoClusters } from '../testing/two-clusters.ts';
import { answerGate } from './answer-gate.ts';
import { destinationRoutes } from './routes.ts';

const stranger = { ...testPair, id: 'pair-2', name: 'other' };
const narrow = { ...testPair, grant: { ...testPair.grant, namespaces: ['db'] } };
const sendOnly = { ...testPair, grant: { ...testPair.grant, directions: ['Send'] as const } };

const aVolume = (over: Partial<IncomingVolume> = {}): IncomingVolume => ({
  namespace: 'db',
  name: 'data',
  uid: 'u1',
  sizeBytes: '1024',
  volumeMode: 'Filesystem',
  accessModes: ['ReadWriteOnce'],
  storageClass: 'fast',
  ...over,
});

const operation = 'op-1';
const group = 'db/data';
const run = runId(operation, group);
const aGroup = (over: object = {}) => ({
  ...{ operation, run, group, migration: 'db/m', mode: 'fresh', overwrite: false, claims: [aVolume()] },
  ...over,
});
const anObject = (kind: string, metadata: object) => ({ apiVersion: 'v1', kind, metadata: { name: 'x', ...metadata } });
const aWave = (...objects: readonly object[]) => ({ migration: 'db/m', time: 't', objects });

describe('what a peer may ask of a destination', () => {
  let world: TwoClusters;
  beforeEach(async () => {
    world = await anApplication();
  });
  const ask = (pair: typeof testPair, method: PeerCall<unknown>['method'], path: string, body?: object) =>
    answerRequest(destinationRoutes({ services: world.b.destination, wake: () => {} }), pair, { method, path, body });
  const refuses = async (asked: Promise<unknown>, code: string) =>
    await assert.rejects(
      asked,
      (error) => (error instanceof SchemaError ? 'SchemaError' : error instanceof StorkError && error.code) === code,
    );

  const receiveOnly = { ...testPair, grant: { ...testPair.grant, directions: ['Receive'] as const } };
  for (const [pair, told] of [
    [testPair, '"mine"'],
    [receiveOnly, undefined],
  ] as const)
    it(`plans, and ${told === undefined ? 'tells nothing of what it has to a peer that it sends nothing' : 'tells what changes'}`, async () => {
      world.b.server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
      const settings = (text: string) => ({ ...anObject('ConfigMap', { namespace: 'db' }), data: { text } });
      await ask(testPair, 'PUT', paths.wave(operation), aWave(settings('mine')));
      const coming = { namespaces: [], kinds: [], roles: [] };
      const body = { ...aWave(settings('yours')), coming };
      const answer = await ask(pair, 'POST', paths.planObjects(operation), body);
      const { results } = parse(planObjectsAnswerSchema, answer);
      assert.deepEqual(
        results[0]?.changes?.map(({ path, before, after }) => [path, before, after]),
        [['data.text', told, '"yours"']],
      );
      const made = await world.b.client.get(core.configMaps, { namespace: 'db', name: 'x' });
      assert.deepEqual(made.data, { text: 'mine' });
    });

  it('refuses to plan what it would refuse to apply', async () => {
    const coming = { namespaces: [], kinds: [], roles: [] };
    const body = { ...aWave(anObject('Secret', { namespace: 'kube-system' })), coming };
    await refuses(ask(narrow, 'POST', paths.planObjects(operation), body), 'GrantRefused');
    const around = { namespaces: [{ name: 'kube-system' }], references: [], kinds: [], demands: [] };
    await refuses(ask(narrow, 'POST', paths.planSurroundings(operation), around), 'GrantRefused');
    await refuses(
      ask(sendOnly, 'POST', paths.planSurroundings(operation), { ...around, namespaces: [] }),
      'GrantRefused',
    );
  });

  for (const [what, pair, body] of [
    ['a namespace outside the grant', narrow, aWave(anObject('Secret', { namespace: 'kube-system' }))],
    ['a Namespace outside the grant', narrow, aWave(anObject('Namespace', { name: 'kube-system' }))],
    ["the agent's own namespace", testPair, aWave(anObject('Secret', { namespace: 'stork-system' }))],
    ["the agent's own Namespace", testPair, aWave(anObject('Namespace', { name: 'stork-system' }))],
    ['anything, when the pair only sends', sendOnly, aWave(anObject('Secret', { namespace: 'db' }))],
  ] as const)
    it(`refuses a wave for ${what}`, () => refuses(ask(pair, 'PUT', paths.wave(operation), body), 'GrantRefused'));

  for (const [what, pair, namespace] of [
    ['a namespace outside the grant', narrow, 'kube-system'],
    ["the agent's own namespace", testPair, 'stork-system'],
    ['anything, when the pair only sends', sendOnly, 'db'],
  ] as const)
    it(`refuses to purge in ${what}`, async () => {
      const scopes = [{ group: '', version: 'v1', kind: 'ConfigMap', namespace, names: [] }];
      const since = '2026-11-21T00:00:00Z';
      const body = { migration: 'db/m', since, namespaces: { [namespace]: since }, scopes };
      await refuses(ask(pair, 'POST', paths.purge(operation), body), 'GrantRefused');
    });

  for (const [what, pair, body, code] of [
    ['outside the grant', narrow, aGroup({ claims: [aVolume({ namespace: 'kube-system' })] }), 'GrantRefused'],
    [
      "in the agent's namespace",
      testPair,
      aGroup({ claims: [aVolume({ namespace: 'stork-system' })] }),
      'GrantRefused',
    ],
    ['of a run that is not its own', testPair, aGroup({ group: 'db/other' }), 'InvalidPeerMessage'],
    [
      'of several namespaces',
      testPair,
      aGroup({ claims: [aVolume(), aVolume({ namespace: 'web' })] }),
      'InvalidPeerMessage',
    ],
    ['named like a path', testPair, aGroup({ claims: [aVolume({ name: '../secrets' })] }), 'SchemaError'],
    [
      'with more claims than a mover takes',
      testPair,
      aGroup({ claims: Array.from({ length: 17 }, () => aVolume()) }),
      'SchemaError',
    ],
  ] as const)
    it(`refuses claims ${what}`, () => refuses(ask(pair, 'PUT', paths.group(operation, run), body), code));

  it('refuses a namespace that is no text', () =>
    refuses(
      ask(testPair, 'PUT', paths.wave(operation), aWave(anObject('Secret', { namespace: ['db'] }))),
      'SchemaError',
    ));

  it('shows and removes an operation only to the pair that began it', async () => {
    await ask(testPair, 'PUT', paths.group(operation, run), aGroup());
    await refuses(ask(stranger, 'GET', paths.group(operation, run)), 'GrantRefused');
    await refuses(ask(stranger, 'PUT', paths.group(operation, run), aGroup()), 'GrantRefused');
    assert.deepEqual(await ask(stranger, 'DELETE', paths.operation(operation)), { state: 'Gone', left: [] });
    assert.equal((await world.b.destination.records.findReceive(run))?.value.phase, 'Working');
  });

  it('answers a group that it does not know with nothing, and a repeated one with what it has', async () => {
    assert.deepEqual(await ask(testPair, 'GET', paths.group(operation, run)), {});
    const both = [1, 2].map(() => ask(testPair, 'PUT', paths.group(operation, run), aGroup()));
    for (const answer of await Promise.all(both))
      assert.equal(typeof answer === 'object' && answer !== null && 'phase' in answer && answer.phase, 'Working');
  });

  it('lets one of two operations that ask for a claim at the same instant give way', async () => {
    const asked = ['op-1', 'op-2'].map((one) =>
      ask(testPair, 'PUT', paths.group(one, runId(one, group)), aGroup({ operation: one, run: runId(one, group) })),
    );
    await Promise.all(asked);
    const phases = (await world.b.destination.records.listReceives()).map(({ value }) => value.phase);
    assert.ok(phases.filter((phase) => phase === 'Working').length <= 1, phases.join());
  });
});

describe('the gate of an update', () => {
  it('lets the mover wait when the record changes under it, and go with the next question', async () => {
    const world = await anApplication();
    await world.migrate(world.a, 'first', {});
    await world.finish(world.a, 'first');
    const { records } = world.b.destination;
    const routes = destinationRoutes({ services: world.b.destination, wake: () => {} });
    const body = aGroup({ mode: 'update' });
    await answerRequest(routes, testPair, { method: 'PUT', path: paths.group(operation, run), body });
    let changes = 0;
    const changing = {
      ...records,
      async saveReceive(...args: Parameters<typeof records.saveReceive>) {
        const [, was] = args;
        if (was !== undefined) await records.saveReceive({ ...was.value, message: `change ${++changes}` }, was);
        return await records.saveReceive(...args);
      },
    };
    let answer = await answerGate({ ...world.b.destination, records: changing }, run);
    for (let asked = 0; asked < 3; asked++) {
      world.b.world.storage.settle();
      answer = await answerGate({ ...world.b.destination, records: changing }, run);
      assert.equal(answer.state, 'Wait');
    }
    assert.deepEqual(await answerGate(world.b.destination, run), { state: 'Go' });
    world.b.server.seed(core.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'db-0', namespace: 'db' },
      spec: { containers: [{ name: 'db' }], volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] },
      status: { phase: 'Running' },
    });
    assert.deepEqual(await answerGate(world.b.destination, run), {
      state: 'Refused',
      reason: 'in use on the destination by pod db-0',
    });
  });
});
