/**
 * Operators' applications on real clusters (M15, M16, docs/registrations.md): one kind that its ApplicationRegistration stops by a
 * field, one that travels inside a ConfigMap until it is activated; there, active there, and back.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Cluster } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { type Bed, bed, type MigrationView, migration, removeNamespaces } from './bed.ts';
import { type CustomKind, removeKinds, serveKinds } from './custom-kinds.ts';

const namespace = 'operated';
const rights = 'stork-test-operators';
const group = 'operators.stork.test';
const integer = { type: 'integer' };
const engine: CustomKind = {
  ...{ group, kind: 'Engine', plural: 'engines', versions: ['v1'], statusSubresource: 'Yes' },
  spec: { members: integer, flavour: { type: 'string' } },
};
const ledger: CustomKind = {
  group,
  kind: 'Ledger',
  plural: 'ledgers',
  versions: ['v1'],
  spec: { pages: integer, remark: { type: 'string' } },
};

const registration = JSON.stringify({
  apiVersion: 'stork.libopenstorage.org/v1alpha1',
  kind: 'ApplicationRegistration',
  metadata: { name: 'stork-test-operators' },
  resources: [
    {
      ...{ group, version: 'v1', kind: 'Engine', podsPath: 'status.pods' },
      suspendOptions: { path: 'spec.members', type: 'int', value: '0' },
    },
    { group, version: 'v1', kind: 'Ledger', keepStatus: true, stashStrategy: { stashCR: true } },
  ],
});

interface Custom {
  readonly metadata: { readonly uid: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

describe('custom resources of operators on real clusters', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeAll();
    await serveKinds(clusters, rights, { a: [engine, ledger], b: [engine, ledger] });
    for (const side of [clusters.a, clusters.b]) await side.apply(registration);
    await clusters.a.apply(application);
    const status = JSON.stringify({ status: { phase: 'Running', pods: ['engine-0'] } });
    const args = ['-n', namespace, 'patch', 'engine', 'main', '--subresource=status', '--type=merge', '-p', status];
    await clusters.a.kubectl(args);
    await clusters.a.kubectl(['-n', namespace, 'wait', '--for=condition=Ready', 'pod', '--all', '--timeout=180s']);
  });
  after(removeAll);

  async function removeAll(): Promise<void> {
    await removeNamespaces(clusters, namespace);
    await removeKinds(clusters, rights, [engine, ledger]);
    for (const side of [clusters.a, clusters.b])
      await side.kubectl(['delete', 'applicationregistration', rights, '--ignore-not-found']);
  }

  async function migrate(from: Cluster, name: string, ...flags: readonly string[]): Promise<MigrationView['status']> {
    const to = from.context === 'a' ? 'b' : 'a';
    expectSuccess(await from.stork(['migrate', namespace, '--to', to, '--name', name, ...flags]));
    return (await migration(from, namespace, name)).status;
  }

  const read = (side: Cluster, kind: 'engine' | 'ledger') => side.get<Custom>([kind, 'main', '-n', namespace]);
  const names = async (side: Cluster, kind: string, ...args: readonly string[]) =>
    (await side.kubectl(['get', kind, '-n', namespace, '-o', 'name', ...args])).split('\n').filter(Boolean);
  const stashesOf = (side: Cluster) =>
    side.get<{ items: readonly Custom[] }>(['configmap', '-n', namespace, '-l', 'stork.libopenstorage.org/stash-cr']);
  const set = (side: Cluster, kind: string, spec: object) =>
    side.kubectl(['-n', namespace, 'patch', kind, 'main', '--type=merge', '-p', JSON.stringify({ spec })]);
  const switched = async (side: Cluster, verb: 'activate' | 'deactivate', ...flags: readonly string[]) =>
    expectSuccess(await side.stork([verb, 'migration', '-n', namespace, ...flags], { timeoutMs: 60_000 })).stdout;

  it('M15, M16: one rests by its field, the other is only in a ConfigMap; the originals run on', async () => {
    const { a, b } = clusters;
    const status = await migrate(a, 'first');
    assert.match(JSON.stringify(status.resources), /ledger operated\/main is kept until it is activated/);
    const resting = await read(b, 'engine');
    assert.deepEqual(resting.spec, { flavour: 'plain', members: 0 });
    assert.equal(resting.metadata.annotations?.['stork.libopenstorage.org/spec.members'], '3,0');
    assert.equal(resting.status, undefined);
    assert.deepEqual(await names(b, 'ledger'), []);
    assert.equal((await stashesOf(b)).items.length, 1);
    assert.deepEqual((await read(a, 'engine')).spec, { flavour: 'plain', members: 3 });
    assert.deepEqual(await names(a, 'pod'), ['pod/engine-0', 'pod/other']);
  });

  it('M16: again: it is the same ConfigMap, with what changed', async () => {
    const { a, b } = clusters;
    const before = await stashesOf(b);
    await set(a, 'ledger', { pages: 8 });
    await migrate(a, 'second');
    const stashes = await stashesOf(b);
    assert.deepEqual(
      stashes.items.map(({ metadata }) => metadata.uid),
      before.items.map(({ metadata }) => metadata.uid),
    );
  });

  it('M15: deactivate stops it and ends the pods that its status names', async () => {
    const { a } = clusters;
    const said = await switched(a, 'deactivate', '--include-originals');
    assert.match(said, /Updated members for engine operated\/main to 0/);
    assert.match(said, /Deleted pod operated\/engine-0 of engine operated\/main/);
    assert.deepEqual((await read(a, 'engine')).spec, { flavour: 'plain', members: 0 });
    await a.kubectl(['-n', namespace, 'wait', '--for=delete', 'pod/engine-0', '--timeout=180s']);
    assert.deepEqual(await names(a, 'pod'), ['pod/other']);
  });

  it('M15, M16: activate starts the one and makes the other, once', async () => {
    const { b } = clusters;
    const said = await switched(b, 'activate');
    assert.match(said, /Updated members for engine operated\/main to 3/);
    assert.match(said, /Created ledger operated\/main from its stash/);
    assert.deepEqual((await read(b, 'engine')).spec, { flavour: 'plain', members: 3 });
    const made = await read(b, 'ledger');
    assert.deepEqual([made.spec, made.status], [{ pages: 8 }, { phase: 'Written' }]);
    await set(b, 'ledger', { remark: 'from b' });
    await set(b, 'engine', { members: 4 });
    assert.match(await switched(b, 'activate'), /Nothing to do/);
    assert.deepEqual((await read(b, 'ledger')).spec, { pages: 8, remark: 'from b' });
  });

  it('M15, M16: and back: what was changed over there is what activation brings', async () => {
    const { a, b } = clusters;
    await switched(b, 'deactivate');
    await migrate(b, 'back');
    assert.deepEqual((await read(a, 'engine')).spec, { flavour: 'plain', members: 0 });
    assert.deepEqual((await read(a, 'ledger')).spec, { pages: 8 }, 'it is not touched before it is activated');
    await switched(a, 'activate');
    assert.deepEqual((await read(a, 'engine')).spec, { flavour: 'plain', members: 4 });
    assert.deepEqual((await read(a, 'ledger')).spec, { pages: 8, remark: 'from b' });
  });

  it('M16: one that starts the applications sends the objects themselves', async () => {
    const { a, b } = clusters;
    await b.kubectl(['delete', 'namespace', namespace, '--wait', '--timeout=180s']);
    await migrate(a, 'started', '--start');
    assert.deepEqual((await read(b, 'ledger')).spec, { pages: 8, remark: 'from b' });
    assert.deepEqual((await read(b, 'engine')).spec, { flavour: 'plain', members: 4 });
  });
});

const aPod = (name: string) => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: a, image: stork.test/toolbox:1, imagePullPolicy: IfNotPresent, command: [sleep, "100000"] }]
`;

const application = `apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
${aPod('engine-0')}---
${aPod('other')}---
apiVersion: ${group}/v1
kind: Engine
metadata: { name: main, namespace: ${namespace} }
spec: { members: 3, flavour: plain }
---
apiVersion: ${group}/v1
kind: Ledger
metadata: { name: main, namespace: ${namespace} }
spec: { pages: 7 }
status: { phase: Written }
`;
