import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { unpackObjects } from '../../crds/packed-plan.ts';
import { type MigrationStatus, migrations } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import type { FakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { aDatabase, anApplication, aPod } from './testing/an-application.ts';
import type { TwoClusters } from './testing/two-clusters.ts';

/** Every object but the Migration itself, with its version. */
const versions = (server: FakeApiServer, without: string) =>
  server
    .objects()
    .filter(({ kind, metadata }) => kind !== 'Migration' || metadata.name !== without)
    .map(
      ({ kind, metadata }) =>
        `${kind} ${metadata.namespace}/${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`,
    )
    .toSorted();

function configMap(name: string, data: Readonly<Record<string, string>>) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'db' }, data };
}

function deployment(image: string, replicas = 2) {
  const labels = { app: 'db' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'db', namespace: 'db' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'db', image }] } },
    },
  };
}

/** What the plan says of each object, `Kind/name`. */
const actionsOf = (status: MigrationStatus) =>
  Object.fromEntries(
    unpackObjects(status.plan?.packedObjects ?? '').map(({ kind, name, action }) => [`${kind}/${name}`, action]),
  );

/** Everything of a plan and of the run that followed it that must be the same. */
function assertSame(plan: MigrationStatus, run: MigrationStatus) {
  const planned = unpackObjects(plan.plan?.packedObjects ?? '').filter(({ action }) => action !== 'Skip');
  const verdict = (action: string) => (action === 'Conflict' || action === 'Fail' ? 'Failed' : 'Successful');
  assert.deepEqual(
    planned.map(({ kind, namespace, name, action }) => `${kind} ${namespace}/${name} ${verdict(action)}`).toSorted(),
    (run.resources ?? [])
      .map(({ kind, namespace, name, status }) => `${kind} ${namespace}/${name} ${status}`)
      .toSorted(),
  );
  assert.deepEqual(
    plan.plan?.volumes?.map((volume) => [volume.persistentVolumeClaim, volume.action === 'Fill' ? 'fresh' : 'update']),
    run.volumes?.map((volume) => [volume.persistentVolumeClaim, volume.mode]),
  );
  assert.equal(plan.status, run.status);
}

describe('a plan', () => {
  let world: TwoClusters;
  beforeEach(async () => {
    world = await anApplication();
    await world.a.client.create(core.configMaps, configMap('settings', { size: 'small' }));
    await world.a.client.create(core.deployments, deployment('db:1'));
  });

  /** Plans, and sees that nothing but the plan changed on either cluster. */
  const planOf = async (name: string, spec: Parameters<TwoClusters['migrate']>[2] = {}) => {
    await world.migrate(world.a, name, { ...spec, dryRun: true });
    const before = [world.a, world.b].map(({ server }) => versions(server, name));
    const status = await world.finish(world.a, name);
    assert.deepEqual(
      [world.a, world.b].map(({ server }) => versions(server, name)),
      before,
    );
    assert.equal(status.stage, 'Planned');
    return status;
  };
  const run = async (name: string, spec: Parameters<TwoClusters['migrate']>[2] = {}) => {
    await world.migrate(world.a, name, spec);
    return world.finish(world.a, name);
  };

  it('says what the first migration does, changes nothing, and the migration does just that', async () => {
    const plan = await planOf('look');
    assert.equal(plan.plan?.verdict, 'Ready', plan.reason ?? '');
    assert.deepEqual(actionsOf(plan), {
      'PersistentVolumeClaim/data': 'Create',
      'Namespace/db': 'Create',
      'ConfigMap/settings': 'Create',
      'Deployment/db': 'Create',
    });
    const untried = unpackObjects(plan.plan?.packedObjects ?? '').filter(({ tried }) => tried === 'No');
    assert.deepEqual(
      untried.map(({ reason }) => reason),
      ['not tried: its namespace is made first', 'not tried: its namespace is made first'],
    );
    assert.match(plan.plan?.activeSideAfter ?? '', /a \(source\) is active/);
    assertSame(plan, await run('first'));
  });

  it('tells changes, what is as it should be, and conflicts, field by field', async () => {
    await run('first');
    await world.a.client.create(core.configMaps, configMap('theirs', { whose: 'a' }));
    await world.b.client.create(core.configMaps, configMap('theirs', { whose: 'b' }));
    const patch = { type: 'merge', body: { spec: deployment('db:2').spec } } as const;
    await world.a.client.patch(core.deployments, { namespace: 'db', name: 'db' }, patch);
    const plan = await planOf('look');
    assert.deepEqual(actionsOf(plan), {
      'PersistentVolumeClaim/data': 'Update',
      'Namespace/db': 'Unchanged',
      'ConfigMap/settings': 'Unchanged',
      'ConfigMap/theirs': 'Conflict',
      'Deployment/db': 'Update',
    });
    const changed = unpackObjects(plan.plan?.packedObjects ?? '').find(({ kind }) => kind === 'Deployment');
    assert.deepEqual(changed?.changes, [
      { path: 'spec.template.spec.containers[db].image', before: '"db:1"', after: '"db:2"' },
    ]);
    assert.equal(plan.plan?.verdict, 'Partial');
    assert.match(plan.reason ?? '', /ConfigMap db\/theirs/);
    assert.equal(plan.plan?.objects?.[0]?.name, 'theirs');
    assertSame(plan, await run('second'));
  });

  it('tells what would refuse it, and what else it would do', async () => {
    await run('first');
    aPod(world.b);
    const plan = await planOf('look');
    assert.equal(plan.status, 'Failed');
    assert.equal(plan.plan?.verdict, 'Refused');
    assert.match(plan.plan?.refusals?.join() ?? '', /in use on the destination by pod db-0/);
    assert.equal(plan.plan?.volumes?.[0]?.action, 'Refuse');
    assert.equal(actionsOf(plan)['ConfigMap/settings'], 'Unchanged');
    assert.match(plan.plan?.activeSideAfter ?? '', /runs as before/);
    const refused = await run('second');
    assert.equal(refused.status, 'Failed');
    assert.equal(refused.reason, plan.reason);
  });

  it('tells what is overwritten, and who is scaled down for it', async () => {
    await run('first');
    aPod(world.b);
    const { plan } = await planOf('look', { overwriteDestination: true });
    assert.equal(plan?.verdict, 'Ready');
    assert.match(plan?.volumes?.[0]?.reason ?? '', /overwritten whatever it holds.*pod db-0 is scaled down first/);
  });

  it('tells what is wrong with the request itself', async () => {
    const plan = await planOf('look', { namespaces: ['nope'], preExecRule: 'nope' });
    assert.equal(plan.plan?.verdict, 'Refused');
    assert.match(plan.plan?.refusals?.join() ?? '', /Namespace nope does not exist/);
    assert.match(plan.plan?.refusals?.join() ?? '', /Rule nope/);
  });

  it('plans volumes alone, and says how much they hold', async () => {
    await run('first');
    await aDatabase(world.a, 'other');
    const plan = await planOf('look', { includeResources: false });
    assert.deepEqual(
      plan.plan?.volumes?.map(({ persistentVolumeClaim, action, usedFrom }) => [
        persistentVolumeClaim,
        action,
        usedFrom,
      ]),
      [
        ['data', 'Update', 'Storage'],
        ['other', 'Fill', 'Storage'],
      ],
    );
    assert.equal(plan.plan?.volumesUnknown, 0);
    assert.match(plan.plan?.estimate?.how ?? '', /^unknown/);
  });

  it('tells what the destination lacks, what looks at the objects there, and what is too tight', async () => {
    await run('first');
    const spec = deployment('db:1').spec;
    const template = { ...spec.template, spec: { ...spec.template.spec, priorityClassName: 'gold', hostPID: true } };
    const patch = { type: 'merge', body: { spec: { ...spec, template } } } as const;
    await world.a.client.patch(core.deployments, { namespace: 'db', name: 'db' }, patch);
    await world.a.client.create(core.configMaps, configMap('more', {}));
    world.b.server.seed(core.resourceQuotas, {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'few', namespace: 'db' },
      status: { hard: { 'count/configmaps': '1' }, used: { 'count/configmaps': '1' } },
    });
    world.b.server.seed(core.resourceQuotas, {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'fancy', namespace: 'db' },
      spec: { hard: { pods: '9' }, scopes: ['VolumeAttributesClass'] },
    });
    const rules = [{ operations: ['UPDATE'], apiGroups: ['apps'], apiVersions: ['*'], resources: ['deployments'] }];
    const webhooks = [
      { name: 'check.policy', admissionReviewVersions: ['v1'], clientConfig: {}, sideEffects: 'None', rules },
    ];
    world.b.server.seed(core.validatingWebhookConfigurations, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'policy' },
      webhooks,
    });
    const { apiVersion, kind, metadata } = await world.b.client.get(core.namespaces, { name: 'db' });
    const labels = { 'pod-security.kubernetes.io/enforce': 'baseline' };
    world.b.server.seed(core.namespaces, { apiVersion, kind, metadata: { ...metadata, labels } });
    const { plan } = await planOf('look');
    assert.match(
      plan?.warnings?.join() ?? '',
      /On b namespace db enforces baseline: the pods of deployment db\/db would not be admitted, because of them it has hostPID/,
    );
    assert.deepEqual(plan?.missing, ['PriorityClass gold of deployment db/db does not exist on b']);
    assert.match(plan?.webhooks?.join() ?? '', /^policy \(check\.policy\) may refuse deployments\.apps/);
    assert.match(
      plan?.warnings?.join() ?? '',
      /resourcequota db\/few allows count\/configmaps 1, 1 is used and 1 more/,
    );
    assert.match(plan?.warnings?.join() ?? '', /On b resourcequota db\/fancy was not judged/);
    assert.equal(plan?.verdict, 'Partial');
    assert.match(plan?.images?.join() ?? '', /^db:1 \(no running pod tells/);
  });

  it('refuses volumes that a quota of the destination has no room for, as the run does', async () => {
    world.b.server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
    world.b.server.seed(core.resourceQuotas, {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'small', namespace: 'db' },
      status: { hard: { 'requests.storage': '100Mi' }, used: { 'requests.storage': '0' } },
    });
    const plan = await planOf('look');
    assert.match(plan.plan?.refusals?.join() ?? '', /resourcequota db\/small allows requests\.storage 100Mi/);
    assert.equal((await run('first')).reason, plan.reason);
  });

  it('leaves nothing when it is deleted', async () => {
    await world.migrate(world.a, 'look', { dryRun: true });
    await world.turn(world.a, 'look');
    assert.equal((await world.finish(world.a, 'look')).status, 'Successful');
    await world.a.client.delete(migrations, { namespace: 'db', name: 'look' });
    await world.turn(world.a, 'look');
    assert.equal(
      world.a.server.objects().some(({ metadata }) => metadata.name === 'look'),
      false,
    );
  });
});
