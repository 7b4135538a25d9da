/**
 * Issue 4, acceptance 1: kinds that the two clusters serve in different versions. Each travels in one that both serve; what
 * has none is named, and everything else arrives.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Bed, bed, migration, removeNamespaces } from './bed.ts';
import { type CustomKind, removeKinds, serveKinds } from './custom-kinds.ts';

const namespace = 'mixed-versions';
const rights = 'stork-test-versions';
const integer = { type: 'integer' };
const here = {
  gauge: aKind('Gauge', 'v1', 'v1beta1'),
  dial: aKind('Dial', 'v1beta1', 'v1'),
  meter: aKind('Meter', 'v1'),
};
const there = { gauge: aKind('Gauge', 'v1beta1'), dial: aKind('Dial', 'v1'), meter: aKind('Meter', 'v2') };

/** Of a group of its own, so that no CRD brings another along. */
function aKind(kind: string, ...versions: readonly string[]): CustomKind {
  const name = kind.toLowerCase();
  return {
    group: `${name}.stork.test`,
    kind,
    plural: `${name}s`,
    versions,
    spec: { reading: integer, unit: { type: 'string' } },
  };
}

describe('kinds of which the clusters serve different versions', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed();
    await removeAll();
    await serveKinds(clusters, rights, { a: Object.values(here), b: Object.values(there) });
    await clusters.a.apply(application);
  });
  after(removeAll);

  async function removeAll(): Promise<void> {
    await removeNamespaces(clusters, namespace);
    await removeKinds(clusters, rights, Object.values(here));
  }

  it('a plan tells it before', async () => {
    const args = ['plan', 'migrate', namespace, '--to', 'b', '-o', 'json'];
    const { exitCode, stdout, stderr } = await clusters.a.stork(args, { timeoutMs: 60_000 });
    assert.equal(exitCode, 0, stderr);
    const { verdict, objects } = JSON.parse(stdout).status.plan;
    assert.equal(verdict, 'Partial');
    const meter = objects.find(({ kind }: { kind: string }) => kind === 'Meter');
    assert.deepEqual([meter.action, meter.reason], ['Fail', noneInCommon]);
  });

  it('each arrives in the version that the destination serves; one that has none is named, the rest proceeds', async () => {
    const { a, b } = clusters;
    const result = await a.stork(['migrate', namespace, '--to', 'b', '--name', 'there'], { timeoutMs: 60_000 });
    assert.equal(result.exitCode, 2, `${result.stdout}${result.stderr}`);
    const { status } = await migration(a, namespace, 'there');
    assert.equal(status.status, 'PartialSuccess');
    const told = status.resources?.filter(({ kind }) => ['Gauge', 'Dial', 'Meter'].includes(kind));
    assert.deepEqual(told?.map(({ kind, version, status: state }) => [kind, version, state]).toSorted(), [
      ['Dial', 'v1', 'Successful'],
      ['Gauge', 'v1beta1', 'Successful'],
      ['Meter', 'v1', 'Failed'],
    ]);
    assert.equal(told?.find(({ kind }) => kind === 'Meter')?.reason, noneInCommon);
    for (const [kind, apiVersion] of [
      ['gauge', 'gauge.stork.test/v1beta1'],
      ['dial', 'dial.stork.test/v1'],
    ] as const) {
      const arrived = await b.get<{ apiVersion: string; spec: object }>([kind, 'main', '-n', namespace]);
      assert.deepEqual([arrived.apiVersion, arrived.spec], [apiVersion, { reading: 42 }]);
    }
    assert.equal(
      await b.kubectl(['get', 'configmap', 'settings', '-n', namespace, '-o', 'name']),
      'configmap/settings\n',
    );
    assert.equal(await b.kubectl(['get', 'meters', '-n', namespace, '-o', 'name']), '');
    const served = await b.get<{ spec: { versions: readonly { name: string }[] } }>(['crd', 'gauges.gauge.stork.test']);
    assert.deepEqual(
      served.spec.versions.map(({ name }) => name),
      ['v1beta1'],
      'the destination’s definition is its own',
    );
  });

  it('and back, where both versions are served, as the originals that they are', async () => {
    const { a, b } = clusters;
    const change = (spec: object) =>
      b.kubectl(['-n', namespace, 'patch', 'gauge', 'main', '--type=merge', '-p', JSON.stringify({ spec })]);
    const gauge = () => a.get<{ metadata: { uid: string }; spec: object }>(['gauge', 'main', '-n', namespace]);
    const back = (name: string) => b.stork(['migrate', namespace, '--to', 'a', '--name', name], { timeoutMs: 60_000 });
    const { metadata } = await gauge();
    await change({ unit: 'bar' });
    const first = await back('back');
    assert.equal(first.exitCode, 0, `${first.stdout}${first.stderr}`);
    const updated = await gauge();
    assert.deepEqual([updated.metadata.uid, updated.spec], [metadata.uid, { reading: 42, unit: 'bar' }]);
    // What kubectl set here is its user's: told, and left.
    await change({ reading: 43 });
    const second = await back('back-again');
    assert.equal(second.exitCode, 2);
    assert.match(second.stdout, /Gauge mixed-versions\/main.*: fields that others own are left: \.spec\.reading/);
    assert.deepEqual((await gauge()).spec, { reading: 42, unit: 'bar' });
  });
});

const noneInCommon = 'the destination does not serve meter.stork.test/v1 Meter; it serves v2';

const objectOf = ({ group, versions, kind }: CustomKind) => `---
apiVersion: ${group}/${versions[0]}
kind: ${kind}
metadata: { name: main, namespace: ${namespace} }
spec: { reading: 42 }
`;

const application = `apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: ${namespace} }
data: { unit: bar }
${Object.values(here).map(objectOf).join('')}`;
