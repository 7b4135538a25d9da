import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { MigrationSpecInput } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import type { Peer } from '../../peer/peer.ts';
import { at } from '../../resources/fields.ts';
import { aDatabase, anApplication } from '../testing/an-application.ts';
import {
  aConfigMap,
  aDeployment,
  aJob,
  aNamespace,
  aService,
  aServiceAccount,
  change,
  drop,
  look,
  put,
} from '../testing/objects.ts';
import { agentNamespace, type TwoClusters } from '../testing/two-clusters.ts';

let world: TwoClusters;
let migrations = 0;
beforeEach(async () => {
  world = await anApplication();
});

/** Migrates and expects success. */
async function migrate(spec: Partial<MigrationSpecInput> = {}, namespace = 'db') {
  migrations += 1;
  const name = `${namespace}/m${migrations}`;
  await world.migrate(world.a, name, spec);
  const status = await world.finish(world.a, name);
  assert.equal(status.status, 'Successful', status.reason ?? '');
  return status;
}

async function arrived(...objects: readonly AnyObject[]): Promise<readonly string[]> {
  const found = await Promise.all(objects.map((object) => look(world.b, object)));
  return found.filter((object) => object !== undefined).map(({ metadata }) => metadata.name);
}

const annotated = (object: AnyObject, name: string): AnyObject => ({
  ...object,
  metadata: { ...object.metadata, annotations: { [`stork.libopenstorage.org/${name}`]: 'true' } },
});

/** A ClusterRole, and what binds it to the ServiceAccount `worker`. */
function roleOf(name: string, metadata: Partial<AnyObject['metadata']>): readonly AnyObject[] {
  const apiGroup = 'rbac.authorization.k8s.io';
  const head = { apiVersion: `${apiGroup}/v1`, metadata: { ...metadata, name } };
  const subjects = [{ kind: 'ServiceAccount', name: 'worker', namespace: 'db' }];
  return [
    { ...head, kind: 'ClusterRole', rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
    { ...head, kind: 'ClusterRoleBinding', roleRef: { apiGroup, kind: 'ClusterRole', name }, subjects },
  ];
}

describe('which namespaces and objects a migration takes', () => {
  const web = aConfigMap('web', { labels: { app: 'web' } });
  const old = aConfigMap('old', { labels: { app: 'web', tier: 'old' } });
  const other = aConfigMap('other', { labels: { app: 'other' } });
  const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'db' } };

  it('M5: selectors take only what has all labels, volumes too', async () => {
    await put(world.a, web, old, other);
    await migrate({ selectors: { app: 'web', tier: 'old' } });
    assert.deepEqual(await arrived(web, old, other, claim), ['old']);
  });

  it('M5: excludeSelectors leave out what has any of the labels, volumes too', async () => {
    await put(world.a, web, old, other);
    await migrate({ excludeSelectors: { tier: 'old', app: 'db' } });
    assert.deepEqual(await arrived(web, old, other, claim), ['web', 'other']);
  });

  it('M5: namespaceSelectors are united, with one another and with namespaces', async () => {
    await put(world.a, aNamespace('red', { team: 'red' }), aNamespace('blue', { tier: 'blue' }), aNamespace('green'));
    const inEach = ['red', 'blue', 'green'].map((namespace) => aConfigMap('settings', { namespace }));
    await put(world.a, ...inEach);
    const spec = { namespaces: ['db'], namespaceSelectors: { team: 'red', tier: 'blue' } };
    await migrate(spec, agentNamespace);
    const there = await Promise.all(inEach.map((object) => look(world.b, object)));
    assert.deepEqual(
      there.map((object) => object?.metadata.namespace),
      ['red', 'blue', undefined],
    );
    assert.deepEqual(await arrived(claim), ['data']);
  });

  it('M5: a deleted namespace is skipped, or refused when skipDeletedNamespaces is false', async () => {
    await migrate({ namespaces: ['db', 'gone'] }, agentNamespace);
    await world.migrate(world.a, `${agentNamespace}/all`, {
      namespaces: ['db', 'gone'],
      skipDeletedNamespaces: false,
    });
    const status = await world.finish(world.a, `${agentNamespace}/all`);
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /Namespace gone does not exist/);
  });

  it('M5, M6: selectors and skip-resource choose cluster-scoped objects, too', async () => {
    const labels = { app: 'web' };
    const annotations = { 'stork.libopenstorage.org/skip-resource': 'true' };
    const bound = [
      ...roleOf('chosen', { labels }),
      ...roleOf('skipped', { labels, annotations }),
      ...roleOf('unlabelled', {}),
    ];
    await put(world.a, aServiceAccount('worker'), ...bound);
    await world.migrate(world.a, 'chosen', { selectors: labels, includeVolumes: false });
    const { resources = [] } = await world.finish(world.a, 'chosen');
    const told = resources.filter(({ kind }) => kind?.startsWith('ClusterRole'));
    assert.deepEqual(
      told.map(({ name }) => name),
      ['chosen', 'chosen'],
    );
  });

  it('M6: one excluded kind, several, with selectors; an unknown one is ignored', async () => {
    const service = { ...aService('web'), metadata: { ...aService('web').metadata, labels: { app: 'web' } } };
    const worker = aDeployment('worker');
    await put(world.a, web, other, service, worker);
    await migrate({ excludeResourceTypes: ['ConfigMap'] });
    assert.deepEqual(await arrived(web, other, service, worker), ['web', 'worker']);
    await migrate({ excludeResourceTypes: ['Deployment', 'NoSuchKind'], selectors: { app: 'other' } });
    assert.deepEqual(await arrived(web, other), ['other']);
  });

  it('M6: excluding claims keeps the workload that mounts them', async () => {
    const worker = aDeployment('worker');
    await put(world.a, worker);
    const status = await migrate({ excludeResourceTypes: ['PersistentVolumeClaim'] });
    assert.deepEqual(await arrived(worker, claim), ['worker']);
    assert.equal(status.summary?.volumes, '0/0');
  });

  it('M6: resources alone, volumes alone', async () => {
    await put(world.a, web);
    await migrate({ includeVolumes: false });
    assert.deepEqual(await arrived(web, claim), ['web']);
    await put(world.a, other);
    await migrate({ includeResources: false });
    assert.deepEqual(await arrived(other, claim), ['data']);
  });

  it('M6: Jobs travel only when asked for', async () => {
    await put(world.a, aJob('report'));
    await migrate();
    assert.deepEqual(await arrived(aJob('report')), []);
    await migrate({ includeOptionalResourceTypes: ['Job'] });
    assert.deepEqual(await arrived(aJob('report')), ['report']);
  });

  it('M6: skip-resource leaves out what carries it, claims too', async () => {
    await aDatabase(world.a, 'scratch');
    const scratch = { ...claim, metadata: { ...claim.metadata, name: 'scratch' } };
    await change(world.a, scratch, { metadata: { annotations: { 'stork.libopenstorage.org/skip-resource': 'true' } } });
    await put(world.a, annotated(web, 'skip-resource'), annotated(other, 'skipresource'), old);
    const { skipped } = await migrate();
    assert.deepEqual(await arrived(web, other, old, scratch, claim), ['old', 'data']);
    const told = skipped?.groups.find(({ kind }) => kind === 'ConfigMap');
    assert.deepEqual(told, {
      ...{ kind: 'ConfigMap', reason: 'annotation stork.libopenstorage.org/skip-resource' },
      ...{ count: 2, names: ['db/other', 'db/web'] },
    });
    assert.ok((skipped?.total ?? 0) >= 2);
  });

  it('M6: what a collected owner makes stays, unless spec or annotation say otherwise', async () => {
    await put(world.a, aDeployment('owner'));
    const uid = (await look(world.a, aDeployment('owner')))?.metadata.uid ?? '';
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'owner', uid, controller: true }];
    const child = (name: string) => ({ ...aService(name), metadata: { ...aService(name).metadata, ownerReferences } });
    await put(world.a, child('made'), annotated(child('kept'), 'skip-owner-ref-check'));
    await migrate();
    assert.deepEqual(await arrived(child('made'), child('kept')), ['kept']);
    await migrate({ ignoreOwnerReferencesCheck: true });
    assert.deepEqual(await arrived(child('made')), ['made']);
    assert.equal((await look(world.b, child('made')))?.metadata.ownerReferences, undefined);
  });
});

describe('adminClusterPair', () => {
  /** What went over each pair; `admin` is a second pair to the same cluster unless told. */
  async function withAdmin(cluster = 'b') {
    const pair = await world.a.source.peers.find('db', 'pair');
    assert.ok(pair !== undefined);
    const sent = new Map<string, string[]>();
    const watched = (name: string, over: Partial<Peer>): Peer => ({
      ...pair,
      ...over,
      get state() {
        return pair.state;
      },
      request(call) {
        const objects: unknown = at(call.body, ['objects']);
        const kinds = Array.isArray(objects) ? objects.map((object) => String(at(object, ['kind']))) : [];
        sent.set(name, [...(sent.get(name) ?? []), ...kinds]);
        return pair.request(call);
      },
    });
    const peers: Record<string, Peer> = {
      pair: watched('pair', {}),
      admin: watched('admin', { pair: `${agentNamespace}/admin`, cluster }),
    };
    Object.assign(world.a.source, {
      peers: { ...world.a.source.peers, find: async (_: string, name: string) => peers[name] },
    });
    await put(world.a, aServiceAccount('worker'), ...roleOf('reader', {}), aConfigMap('settings'));
    return sent;
  }

  it('M6: cluster-scoped objects go over it, everything else over the pair itself', async () => {
    const sent = await withAdmin();
    await world.migrate(world.a, 'm', { adminClusterPair: 'admin' });
    await world.finish(world.a, 'm');
    assert.deepEqual(sent.get('admin'), ['ClusterRole', 'ClusterRoleBinding']);
    assert.ok(sent.get('pair')?.includes('ConfigMap'));
    assert.ok(!sent.get('pair')?.some((kind) => kind.startsWith('ClusterRole')));
  });

  it('M6: one that is not there, or leads to another cluster, is refused by name', async () => {
    await withAdmin('c');
    await world.migrate(world.a, 'm', { adminClusterPair: 'nope' });
    assert.match((await world.finish(world.a, 'm')).reason ?? '', /\(spec.adminClusterPair\) nope does not exist/);
    await world.migrate(world.a, 'n', { adminClusterPair: 'admin' });
    assert.match((await world.finish(world.a, 'n')).reason ?? '', /leads to c, but .* to b/);
  });
});

describe('network objects and accounts', () => {
  it('M9: a NetworkPolicy with a CIDR is skipped, and included with the flag', async () => {
    const policy = (name: string, peer: object): AnyObject => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace: 'db' },
      spec: { podSelector: {}, ingress: [{ from: [peer] }] },
    });
    const cidr = policy('cidr', { ipBlock: { cidr: '10.0.0.0/8' } });
    const labels = policy('labels', { podSelector: { matchLabels: { app: 'web' } } });
    await put(world.a, cidr, labels);
    await migrate();
    assert.deepEqual(await arrived(cidr, labels), ['labels']);
    await migrate({ includeNetworkPolicyWithCIDR: true });
    assert.deepEqual(await arrived(cidr), ['cidr']);
  });

  it('M10: only Endpoints made by hand travel', async () => {
    const endpoints = (name: string, metadata: object, targetRef?: object): AnyObject => ({
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name, namespace: 'db', ...metadata },
      subsets: [{ addresses: [{ ip: '192.0.2.1', ...(targetRef === undefined ? {} : { targetRef }) }] }],
    });
    const applied = { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } };
    const manual = endpoints('manual', applied);
    const ofPods = endpoints('of-pods', applied, { kind: 'Pod', name: 'db-0' });
    const made = endpoints('made', {});
    await put(world.a, manual, ofPods, made);
    await migrate();
    assert.deepEqual(await arrived(manual, ofPods, made), ['manual']);
  });

  it('M10: Service ports are updated; addresses stay behind unless skipServiceUpdate', async () => {
    await put(world.a, aService('web', 80));
    await migrate();
    const first = await look(world.b, aService('web'));
    assert.equal(at(first, ['spec', 'clusterIP']), undefined);
    await change(world.a, aService('web'), { spec: { ports: [{ name: 'main', port: 8080, protocol: 'TCP' }] } });
    await migrate();
    const ports = at(await look(world.b, aService('web')), ['spec', 'ports']);
    assert.deepEqual(Array.isArray(ports) ? ports.map((port) => at(port, ['port'])) : ports, [8080]);
    await drop(world.a, aService('web'));
    await put(world.a, aService('fixed'));
    await migrate({ skipServiceUpdate: true });
    assert.equal(at(await look(world.b, aService('fixed')), ['spec', 'clusterIP']), '10.1.2.3');
  });

  it('M10: a ServiceAccount that is there is merged: pull secrets, secrets, automount; nothing is removed', async () => {
    const pull = (name: string) => ({ imagePullSecrets: [{ name }] });
    await put(
      world.a,
      aServiceAccount('worker', { ...pull('a'), secrets: [{ name: 's' }], automountServiceAccountToken: false }),
    );
    await put(world.b, aNamespace('db'), aServiceAccount('worker', pull('b')));
    const before = await look(world.b, aServiceAccount('worker'));
    await migrate();
    const merged = await look(world.b, aServiceAccount('worker'));
    assert.equal(merged?.metadata.uid, before?.metadata.uid);
    assert.deepEqual(merged?.imagePullSecrets, [{ name: 'b' }, { name: 'a' }]);
    assert.deepEqual(merged?.secrets, [{ name: 's' }]);
    assert.equal(merged?.automountServiceAccountToken, false);
  });
});
