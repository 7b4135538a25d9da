import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requesterAnnotation, webhookName } from '../../crds/agent-names.ts';
import { type MigrationSpecInput, migrations, rules } from '../../crds/v1alpha1/index.ts';
import type { Impersonation } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import type { Access } from '../../kube/fake/fake-api-server.ts';
import { aDatabase, leftovers } from './testing/an-application.ts';
import { aWriter } from './testing/fake-workloads.ts';
import { aDeployment, look, put } from './testing/objects.ts';
import { plainClass } from './testing/plain-storage.ts';
import { agentNamespace, type TwoClusters, twoClusters } from './testing/two-clusters.ts';

const ann: Impersonation = { user: 'ann', groups: ['db-owners'] };

/** What `edit` in namespace db, and the shared pair, let ann do; everybody else may do everything. */
const edits = new Set([
  'use clusterpairs stork-system',
  ...['get', 'list'].flatMap((verb) =>
    ['configmaps', 'deployments', 'persistentvolumeclaims', 'secrets', 'serviceaccounts'].map(
      (kind) => `${verb} ${kind} db`,
    ),
  ),
  'create pods db',
  'get namespaces db',
  'create pods/exec db',
]);

class Rights {
  readonly allowed = new Set(edits);
  readonly asked: string[] = [];
  readonly authorize = (access: Access): 'Allow' | 'Deny' => {
    const { identity, verb, resource, subresource, namespace = '' } = access;
    if (identity.user !== 'ann') return 'Allow';
    const key = `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`} ${namespace}`.trim();
    this.asked.push(key);
    return this.allowed.has(key) ? 'Allow' : 'Deny';
  };
}

async function aTenant(): Promise<TwoClusters & { readonly rights: Rights }> {
  const rights = new Rights();
  // Creating the object is the API server's to allow; what is asked here are reviews.
  const world = twoClusters({
    authorize: (access) => (access.resource === 'migrations' ? 'Allow' : rights.authorize(access)),
  });
  for (const name of ['db', 'other'])
    world.a.server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await aDatabase(world.a);
  world.a.server.seed(core.configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'db' },
  });
  world.a.server.seed(core.secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'key', namespace: 'other' },
    type: 'Opaque',
  });
  return Object.assign(world, { rights });
}

/** Failed with that reason, and both clusters hold what they held. */
async function assertRefused(world: TwoClusters, spec: Partial<MigrationSpecInput>, message: RegExp): Promise<void> {
  const names = () =>
    world.b.server.objects().map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
  const before = names();
  await world.migrate(world.a, 'm', spec, ann);
  const status = await world.finish(world.a, 'm');
  assert.equal(status.status, 'Failed');
  assert.match(status.reason ?? '', message);
  assert.deepEqual(names(), before);
  assert.deepEqual(leftovers(world), []);
}

describe('a migration asked for by the owner of one namespace', () => {
  it('moves that namespace through a pair that an admin shared', async () => {
    const world = await aTenant();
    await world.migrate(world.a, 'm', {}, ann);
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Successful');
    assert.equal(world.b.world.contentOf('db', 'data'), 'one');
  });

  it('asks an admin’s rights with one question each time, not one for each kind', async () => {
    const world = await aTenant();
    world.rights.allowed.add('* *');
    await world.migrate(world.a, 'm', {}, ann);
    assert.equal((await world.finish(world.a, 'm')).status, 'Successful');
    assert.deepEqual([...new Set(world.rights.asked)], ['* *']);
  });

  const needed: readonly (readonly [right: string, spec: Partial<MigrationSpecInput>, message: RegExp])[] = [
    [
      'use clusterpairs stork-system',
      {},
      /User ann.*may not use clusterpairs.stork.libopenstorage.org pair in namespace stork-system/,
    ],
    ['get persistentvolumeclaims db', {}, /may not get persistentvolumeclaims in namespace db/],
    ['create pods db', {}, /may not create pods in namespace db/],
    ['list configmaps db', {}, /may not list configmaps in namespace db.*excludeResourceTypes/s],
    ['get namespaces db', {}, /may not get namespaces db in namespace db/],
    ['create pods/exec db', { preExecRule: 'flush' }, /may not create pods\/exec in namespace db/],
    ['create pods/exec db', { postExecRule: 'flush' }, /may not create pods\/exec in namespace db/],
  ];
  for (const [right, spec, message] of needed)
    it(`is refused without ${right}${(spec.preExecRule ?? spec.postExecRule) ? ' and with a rule' : ''}`, async () => {
      const world = await aTenant();
      world.a.server.seed(rules, {
        apiVersion: rules.apiVersion,
        kind: 'Rule',
        metadata: { name: 'flush', namespace: 'db' },
        rules: [],
      });
      world.rights.allowed.delete(right);
      await assertRefused(world, spec, message);
    });

  it('is refused when a Secret would travel that ann may not get', async () => {
    const world = await aTenant();
    world.rights.allowed.delete('get secrets db');
    world.a.server.seed(core.secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'key', namespace: 'db' },
      type: 'Opaque',
    });
    await assertRefused(world, {}, /may not get secrets in namespace db/);
  });

  it('can have stopped for a copy only what they may change themselves', async () => {
    const world = await aTenant();
    const web = aWriter('web', ['files']);
    await aDatabase(world.a, 'files', 'pages', plainClass);
    await put(world.a, web);
    await assertRefused(world, { quiesce: true }, /may not patch deployments.apps in namespace db/);
    assert.deepEqual((await look(world.a, web))?.spec, web.spec);
  });

  it('goes on when the kind she may not read is left out, or the namespace has none of it', async () => {
    const world = await aTenant();
    world.rights.allowed.delete('list configmaps db');
    world.rights.allowed.delete('get secrets db');
    await world.migrate(world.a, 'm', { excludeResourceTypes: ['ConfigMap'] }, ann);
    assert.equal((await world.finish(world.a, 'm')).status, 'Successful');
  });

  for (const [level, may, arrives] of [
    ['baseline', [], 'No'],
    ['restricted', [], 'No'],
    ['baseline', ['patch namespaces db'], 'Yes'],
    [undefined, [], 'Yes'],
  ] as const)
    it(`${arrives === 'Yes' ? 'takes' : 'leaves'} workloads with privileged pods where ${level ?? 'nothing'} is enforced and she may ${may[0] ?? 'not change that'}`, async () => {
      const world = await aTenant();
      for (const right of may) world.rights.allowed.add(right);
      const labels = level === undefined ? {} : { 'pod-security.kubernetes.io/enforce': level };
      const { apiVersion, kind, metadata } = await world.a.client.get(core.namespaces, { name: 'db' });
      world.a.server.seed(core.namespaces, { apiVersion, kind, metadata: { ...metadata, labels } });
      const spec = { containers: [{ name: 'web', securityContext: { privileged: true } }] };
      const odd = aDeployment('odd');
      await put(world.a, { ...odd, spec: { ...Object(odd.spec), template: { metadata: {}, spec } } });
      await world.migrate(world.a, 'm', { includeVolumes: false }, ann);
      const status = await world.finish(world.a, 'm');
      const row = status.resources?.find(({ name }) => name === 'odd');
      assert.equal((await look(world.b, odd)) === undefined, arrives === 'No');
      assert.equal(status.status, arrives === 'Yes' ? 'Successful' : 'PartialSuccess', status.reason ?? '');
      if (arrives === 'No')
        assert.match(
          row?.reason ?? '',
          /container web is privileged; Pod Security keeps such pods out of namespace db, and user ann/,
        );
    });

  it('leaves Roles and bindings that she may not read behind, and says so', async () => {
    const world = await aTenant();
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' };
    const bind = (name: string, kind: string) =>
      world.a.server.seed(core.roleBindings, {
        ...{ apiVersion, kind: 'RoleBinding', metadata: { name, namespace: 'db' }, roleRef },
        subjects: [{ kind, name: 'ann', namespace: 'db' }],
      });
    bind('people', 'User');
    await world.migrate(world.a, 'm', {}, ann);
    const first = await world.finish(world.a, 'm');
    assert.equal(first.status, 'Successful');
    assert.match(
      first.resources?.find(({ name }) => name === 'people')?.reason ?? '',
      /left out: user ann.*binds nobody in it/,
    );
    bind('application', 'ServiceAccount');
    await world.migrate(world.a, 'm2', {}, ann);
    const second = await world.finish(world.a, 'm2');
    assert.equal(second.status, 'PartialSuccess');
    assert.match(second.reason ?? '', /1 of \d+ resources.*RoleBinding db\/application: left out: user ann/);
  });

  const reaching: readonly (readonly [name: string, spec: Partial<MigrationSpecInput>])[] = [
    ['another namespace', { namespaces: ['other'] }],
    ['another namespace beside her own', { namespaces: ['db', 'other'] }],
    ['another namespace to overwrite it there', { namespaces: ['other'], overwriteDestination: true }],
    ["the agent's namespace", { namespaces: [agentNamespace] }],
    ['the system', { namespaces: ['kube-system'] }],
    ['another namespace by its label', { namespaces: [], namespaceSelectors: { team: 'other' } }],
  ];
  for (const [name, spec] of reaching)
    it(`can't reach ${name}`, async () => {
      const world = await aTenant();
      const metadata = { name: 'other', labels: { team: 'other' } };
      world.a.server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata });
      await assertRefused(world, spec, /A Migration in namespace db can only migrate that namespace, not/);
    });

  it('ends when her rights are withdrawn under way, and leaves nothing behind', async () => {
    const world = await aTenant();
    await world.migrate(world.a, 'm', {}, ann);
    const stageOf = async () => (await world.a.client.get(migrations, { namespace: 'db', name: 'm' })).status?.stage;
    for (let turns = 0; turns < 20 && (await stageOf()) !== 'Volumes'; turns += 1) await world.turn(world.a, 'm');
    world.rights.allowed.delete('create pods db');
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /may not create pods in namespace db/);
    assert.deepEqual(leftovers(world), []);
  });

  it('takes no namespace along that somebody labels after it began', async () => {
    const world = await aTenant();
    const label = (name: string) =>
      world.a.client.patch(
        core.namespaces,
        { name },
        { type: 'merge', body: { metadata: { labels: { team: 'db' } } } },
      );
    await label('db');
    await world.migrate(world.a, 'm', { namespaces: [], namespaceSelectors: { team: 'db' } }, ann);
    await world.turn(world.a, 'm');
    await label('other');
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /can only migrate that namespace, not other/);
  });
});

describe('a migration that nobody asked for', () => {
  async function refusalOf(change: (world: TwoClusters) => Promise<unknown>): Promise<string> {
    const world = await aTenant();
    await world.migrate(world.a, 'm', {});
    await change(world);
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Failed');
    return status.reason ?? '';
  }

  it('is refused without its mark', async () => {
    const body = { metadata: { annotations: { [requesterAnnotation]: null } } };
    const refusal = await refusalOf(({ a }) =>
      a.client.patch(migrations, { namespace: 'db', name: 'm' }, { type: 'merge', body }),
    );
    assert.match(
      refusal,
      /Nobody can say who asked for migration db\/m: it does not carry the annotation.*repeat migration/s,
    );
  });

  it('is refused where the webhook is not installed', async () => {
    const refusal = await refusalOf(({ a }) =>
      a.client.delete(core.validatingWebhookConfigurations, { name: webhookName }),
    );
    assert.match(refusal, /webhook of stork is not installed.*kubectl stork install/s);
  });

  it('is refused when it is older than the webhook, whatever mark it carries', async () => {
    const refusal = await refusalOf(async ({ a, clock }) => {
      const guard = await a.client.get(core.mutatingWebhookConfigurations, { name: webhookName });
      await a.client.delete(core.mutatingWebhookConfigurations, { name: webhookName });
      const { creationTimestamp: _old, resourceVersion: _version, uid: _uid, ...metadata } = guard.metadata;
      await a.client.create(core.mutatingWebhookConfigurations, { ...guard, metadata });
      await clock.advance(1000);
    });
    assert.match(refusal, /is older than the admission webhook/);
  });
});
