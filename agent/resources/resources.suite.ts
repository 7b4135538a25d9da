/**
 * What collecting, applying and activating promise, on any API server: resources.test.ts runs it on the fake,
 * test/conformance/resources.conformance.ts on a real kube-apiserver.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject, KubeClient, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import type { Clock } from '../../kube/clock.ts';
import { activateNamespace, deactivateNamespace } from './activation.ts';
import { type ApplyLimits, applyObjects, identityOfServiceAccount } from './apply/apply-objects.ts';
import { describeCreating } from './apply/create.suite.ts';
import type { ApplyGrant } from './apply/decide-apply.ts';
import { describePlanning } from './apply/plan.suite.ts';
import { describeCollecting } from './collect/collect.suite.ts';
import { at } from './fields.ts';
import { storkNames } from './names.ts';
import { anyOf, configMap, cronJob, deployment, fixedObjects, queueDefinition } from './testing/sample-objects.ts';
import { transformObject } from './transform/transform-object.ts';

export interface ResourcesWorld {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** A name no other test of this world has. */
  freshNamespace(): Promise<string>;
  /** `Full`: schemas, immutable fields, allocated ports and RBAC are checked, too. */
  readonly checks: 'Full' | 'Objects';
}

/** The ServiceAccount that the world lets do everything, and one that may do nothing. */
export const peerAccount = 'stork-system/stork-peer';
export const powerlessAccount = 'stork-system/nobody';

const pairId = 'pair-1';
const deployments: Resource = { ...anyOf(core.deployments) };
const configMaps: Resource = { ...anyOf(core.configMaps) };
const cronJobs: Resource = { ...anyOf(core.cronJobs) };

export function describeResources(name: string, world: () => ResourcesWorld): void {
  const everything: ApplyGrant = { namespaces: ['*'], clusterScopedKinds: ['*'] };

  const apply = (
    objects: readonly AnyObject[],
    grant = everything,
    account = peerAccount,
    parts: { readonly client?: KubeClient; readonly limits?: ApplyLimits } = {},
  ) => {
    const { client, clock } = world();
    const migration = { namespace: 'shop', name: 'm1', time: clock.now().toISOString() };
    const identity = identityOfServiceAccount(account);
    return applyObjects({ client, clock, identity, ...parts }, { objects, pairId, migration, grant });
  };
  const resultsOf = async (objects: readonly AnyObject[]) => (await apply(objects)).map(({ result }) => result);
  const sent = (object: AnyObject) =>
    transformObject(object, {
      pairId,
      namespaces: [object.metadata.namespace ?? ''],
      serviceAddresses: 'Clear',
      registrations: [],
    });
  const get = (resource: Resource, namespace: string, objectName: string) =>
    world().client.get(resource, { namespace, name: objectName });

  describe(`applying on ${name}`, () => {
    it('creates a workload at rest and leaves its count to whoever activates or scales it', async () => {
      const namespace = await world().freshNamespace();
      const [first] = await apply([sent(deployment(namespace, { replicas: 3 }))]);
      assert.equal(first?.result, 'Created', String(first?.reason));
      const made = await get(deployments, namespace, 'web');
      assert.equal(at(made, ['spec', 'replicas']), 0);
      assert.equal(made.metadata.annotations?.[storkNames.migrationReplicas], '3');
      assert.equal(made.metadata.labels?.[storkNames.migrated], 'true');

      const activated = await activateNamespace({ client: world().client }, namespace);
      assert.deepEqual(activated.messages, [`Updated replicas for deployment ${namespace}/web to 3`]);
      assert.equal(at(await get(deployments, namespace, 'web'), ['spec', 'replicas']), 3);

      assert.deepEqual(await resultsOf([sent(deployment(namespace, { replicas: 2, image: 'web:2' }))]), ['Updated']);
      const synced = await get(deployments, namespace, 'web');
      assert.equal(at(synced, ['spec', 'replicas']), 3);
      assert.match(JSON.stringify(synced.spec), /web:2/);

      const patch = { type: 'merge', body: { spec: { replicas: 7 } } } as const;
      await world().client.patch(deployments, { namespace, name: 'web' }, patch, { fieldManager: 'autoscaler' });
      assert.deepEqual(await resultsOf([sent(deployment(namespace, { replicas: 2, image: 'web:3' }))]), ['Updated']);
      assert.equal(at(await get(deployments, namespace, 'web'), ['spec', 'replicas']), 7);
    });

    it('follows the count of the source while the workload rests', async () => {
      const namespace = await world().freshNamespace();
      await apply([sent(deployment(namespace, { replicas: 3 }))]);
      await apply([sent(deployment(namespace, { replicas: 5 }))]);
      assert.equal(at(await get(deployments, namespace, 'web'), ['spec', 'replicas']), 0);
      await activateNamespace({ client: world().client }, namespace);
      assert.equal(at(await get(deployments, namespace, 'web'), ['spec', 'replicas']), 5);
    });

    it('does not write what is as it should be', async () => {
      const namespace = await world().freshNamespace();
      const objects = [sent(configMap(namespace)), sent(deployment(namespace, {}))];
      assert.deepEqual(await resultsOf(objects), ['Created', 'Created']);
      const before = await get(deployments, namespace, 'web');
      assert.deepEqual(await resultsOf(objects), ['Unchanged', 'Unchanged']);
      const afterwards = await get(deployments, namespace, 'web');
      assert.equal(afterwards.metadata.resourceVersion, before.metadata.resourceVersion);
    });

    it('leaves an object that is not ours, and says so', async () => {
      const namespace = await world().freshNamespace();
      const { client } = world();
      await client.create(configMaps, configMap(namespace, { key: 'theirs' }));
      const [applied] = await apply([sent(configMap(namespace))]);
      assert.equal(applied?.result, 'Conflict');
      assert.match(applied?.reason ?? '', /did not come by a migration/);
      assert.deepEqual((await get(configMaps, namespace, 'settings')).data, { key: 'theirs' });
    });

    it('takes an object with the same content for what it is', async () => {
      const namespace = await world().freshNamespace();
      await world().client.create(configMaps, configMap(namespace));
      assert.deepEqual(await resultsOf([sent(configMap(namespace))]), ['Unchanged']);
    });

    it('knows its own original when it comes back', async () => {
      const namespace = await world().freshNamespace();
      const original = await world().client.create(configMaps, configMap(namespace), { fieldManager: 'stork' });
      const there = configMap(namespace, { key: 'changed there' }, 'uid-there');
      const marks = { [storkNames.migrationPair]: pairId, [storkNames.sourceUid]: original.metadata.uid ?? '' };
      const returning = sent({ ...there, metadata: { ...there.metadata, annotations: marks } });
      await apply([returning]);
      const [applied] = await apply([returning]);
      assert.notEqual(applied?.reason?.includes('did not come by a migration'), true, String(applied?.reason));
      const stranger = sent({ ...there, metadata: { ...there.metadata, name: 'other', annotations: marks } });
      await world().client.create(configMaps, {
        ...configMap(namespace, { key: 'x' }),
        metadata: { name: 'other', namespace },
      });
      assert.deepEqual(await resultsOf([stranger]), ['Conflict']);
    });

    it('never takes a field that another manager owns, and names the owner', async () => {
      const namespace = await world().freshNamespace();
      await apply([sent(configMap(namespace))]);
      const patch = { type: 'merge', body: { data: { key: 'edited' } } } as const;
      await world().client.patch(configMaps, { namespace, name: 'settings' }, patch, { fieldManager: 'kubectl-edit' });
      const [applied] = await apply([sent(configMap(namespace, { key: 'newer', more: 'x' }))]);
      assert.equal(applied?.result, 'Conflict');
      assert.match(applied?.reason ?? '', /data\.key .*kubectl-edit.*nothing of the object was changed.*migrate again/);
      assert.deepEqual((await get(configMaps, namespace, 'settings')).data, { key: 'edited' });
      // What it advises works: the owner says the same, and the rest follows.
      const same = { type: 'merge', body: { data: { key: 'newer' } } } as const;
      await world().client.patch(configMaps, { namespace, name: 'settings' }, same, { fieldManager: 'kubectl-edit' });
      assert.deepEqual(await resultsOf([sent(configMap(namespace, { key: 'newer', more: 'x' }))]), ['Updated']);
      assert.deepEqual((await get(configMaps, namespace, 'settings')).data, { key: 'newer', more: 'x' });
    });

    it('leaves the finalizers of others where they are', async () => {
      const namespace = await world().freshNamespace();
      await apply([sent(configMap(namespace))]);
      const patch = { type: 'merge', body: { metadata: { finalizers: ['example.com/hold'] } } } as const;
      const key = { namespace, name: 'settings' };
      await world().client.patch(configMaps, key, patch, { fieldManager: 'someone' });
      assert.deepEqual(await resultsOf([sent(configMap(namespace, { key: 'newer' }))]), ['Updated']);
      const live = await get(configMaps, namespace, 'settings');
      assert.deepEqual([live.data, live.metadata.finalizers], [{ key: 'newer' }, ['example.com/hold']]);
      const release = { type: 'merge', body: { metadata: { finalizers: null } } } as const;
      await world().client.patch(configMaps, key, release);
    });

    it('removes what the source removed, but nothing of others', async () => {
      const namespace = await world().freshNamespace();
      await apply([sent(configMap(namespace, { a: '1', b: '2' }))]);
      const patch = { type: 'merge', body: { data: { local: 'x' } } } as const;
      await world().client.patch(configMaps, { namespace, name: 'settings' }, patch, { fieldManager: 'someone' });
      assert.deepEqual(await resultsOf([sent(configMap(namespace, { a: '1' }))]), ['Updated']);
      assert.deepEqual((await get(configMaps, namespace, 'settings')).data, { a: '1', local: 'x' });
    });

    it('merges into a ServiceAccount that is there', async () => {
      const namespace = await world().freshNamespace();
      const accounts: Resource = { ...anyOf(core.serviceAccounts) };
      const account = (fields: Readonly<Record<string, unknown>>): AnyObject => ({
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'shop', namespace },
        ...fields,
      });
      await world().client.create(accounts, account({ imagePullSecrets: [{ name: 'local' }] }));
      const incoming = account({ imagePullSecrets: [{ name: 'registry' }], automountServiceAccountToken: false });
      assert.deepEqual(await resultsOf([sent(incoming)]), ['Updated']);
      const merged = await get(accounts, namespace, 'shop');
      assert.deepEqual(merged.imagePullSecrets, [{ name: 'local' }, { name: 'registry' }]);
      assert.equal(merged.automountServiceAccountToken, false);
      assert.deepEqual(await resultsOf([sent(incoming)]), ['Unchanged']);
    });

    it('creates and updates what server-side apply cannot express', async () => {
      const namespace = await world().freshNamespace();
      const env = [
        { name: 'TZ', value: 'UTC' },
        { name: 'TZ', value: 'CET' },
      ];
      const [made] = await apply([sent(deployment(namespace, { env }))]);
      assert.equal(made?.result, 'Created', String(made?.reason));
      const [updated] = await apply([sent(deployment(namespace, { env, image: 'web:2' }))]);
      assert.equal(updated?.result, 'Updated', String(updated?.reason));
      const live = await get(deployments, namespace, 'web');
      assert.match(JSON.stringify(live.spec), /web:2/);
      assert.equal(at(live, ['spec', 'replicas']), 0);
      await activateNamespace({ client: world().client }, namespace);
      assert.equal(at(await get(deployments, namespace, 'web'), ['spec', 'replicas']), 1);
    });

    it('writes only what the grant covers', async () => {
      const namespace = await world().freshNamespace();
      const grant = { namespaces: ['elsewhere'], clusterScopedKinds: [] };
      const [inside] = await apply([sent(configMap(namespace))], grant);
      assert.equal(inside?.result, 'Failed');
      assert.match(inside?.reason ?? '', /not in the pair's grant/);
      const priority = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'p' }, value: 1 };
      const [cluster] = await apply([sent(priority)], grant);
      assert.match(cluster?.reason ?? '', /PriorityClass\.scheduling\.k8s\.io/);
    });

    it('refuses a kind that the destination lacks, by name', async () => {
      const namespace = await world().freshNamespace();
      const odd = { apiVersion: 'odd.example.com/v1', kind: 'Odd', metadata: { name: 'o', namespace } };
      const [applied] = await apply([odd]);
      assert.equal(applied?.result, 'Failed');
      assert.match(applied?.reason ?? '', /does not serve odd\.example\.com\/v1 Odd/);
    });

    it('creates namespaces and never changes them', async () => {
      const namespace = await world().freshNamespace();
      const object = (labels: Readonly<Record<string, string>>, objectName: string) =>
        sent({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: objectName, labels } });
      const fresh = `${namespace}-new`;
      assert.deepEqual(await resultsOf([object({ team: 'a' }, fresh), object({ team: 'b' }, namespace)]), [
        'Created',
        'Unchanged',
      ]);
      const made = await world().client.get(core.namespaces, { name: fresh });
      assert.equal(made.metadata.labels?.team, 'a');
      const kept = await world().client.get(core.namespaces, { name: namespace });
      assert.equal(kept.metadata.labels?.team, undefined);
    });
  });

  describe(`activating on ${name}`, () => {
    it('stops and starts every workload of a namespace, each time in Stork’s words', async () => {
      const namespace = await world().freshNamespace();
      const { client } = world();
      await client.create(deployments, deployment(namespace, { replicas: 2 }));
      await client.create(cronJobs, cronJob(namespace, { suspend: false }));
      const untouched = await deactivateNamespace({ client }, { namespace, originals: 'Leave' });
      assert.deepEqual(untouched.messages, []);
      assert.deepEqual(untouched.skipped.toSorted(), [
        `Skipped cronjob ${namespace}/report: it did not come by a migration`,
        `Skipped deployment ${namespace}/web: it did not come by a migration`,
      ]);
      const stopped = await deactivateNamespace({ client }, { namespace, originals: 'Stop' });
      assert.deepEqual(stopped.messages.toSorted(), [
        `Updated replicas for deployment ${namespace}/web to 0`,
        `Updated suspend option for cronjob ${namespace}/report to true`,
      ]);
      const again = await deactivateNamespace({ client }, { namespace, originals: 'Leave' });
      assert.deepEqual(again, { messages: [], failures: [], skipped: [], unchanged: 2 });
      const started = await activateNamespace({ client }, namespace);
      assert.deepEqual(started.messages.toSorted(), [
        `Updated replicas for deployment ${namespace}/web to 2`,
        `Updated suspend option for cronjob ${namespace}/report to false`,
      ]);
      assert.deepEqual(started.failures, []);
    });

    it('does not wake a CronJob that slept before', async () => {
      const namespace = await world().freshNamespace();
      const { client } = world();
      await apply([sent(cronJob(namespace, { suspend: true }))]);
      await activateNamespace({ client }, namespace);
      assert.equal(at(await get(cronJobs, namespace, 'report'), ['spec', 'suspend']), true);
    });

    it('starts nothing that carries no count', async () => {
      const namespace = await world().freshNamespace();
      await world().client.create(deployments, deployment(namespace, { replicas: 0 }));
      const started = await activateNamespace({ client: world().client }, namespace);
      assert.deepEqual(started.messages, []);
    });
  });

  describeCreating(name, world);
  describePlanning(name, world);
  describeCollecting(name, world);

  describe(`applying on ${name}, refused by the server`, () => {
    const full = () => (world().checks === 'Full' ? false : 'needs a real API server');

    it('fails on an immutable field and keeps the object', async (test) => {
      const skip = full();
      if (skip !== false) return test.skip(skip);
      const namespace = await world().freshNamespace();
      await apply([sent(deployment(namespace, {}))]);
      const { uid } = (await get(deployments, namespace, 'web')).metadata;
      const [applied] = await apply([sent(deployment(namespace, { app: 'renamed' }))]);
      assert.equal(applied?.result, 'Failed');
      assert.match(applied?.reason ?? '', /spec\.selector can't be changed.*delete deployment/);
      assert.equal((await get(deployments, namespace, 'web')).metadata.uid, uid);
    });

    it('takes what a server completed for what it was: only a real change of an immutable field is one', async (test) => {
      const skip = full();
      if (skip !== false) return test.skip(skip);
      const namespace = await world().freshNamespace();
      const made = fixedObjects(namespace);
      assert.deepEqual(
        await resultsOf(made.map(sent)),
        made.map(() => 'Created'),
      );
      const resourceOf = ({ apiVersion, kind }: AnyObject): Resource => {
        const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
        return { group, version, kind, plural: `${kind.toLowerCase()}s`, namespaced: true };
      };
      for (const object of made) {
        const live = await get(resourceOf(object), namespace, object.metadata.name);
        const changed = sent({ ...live, metadata: { ...live.metadata, labels: { later: 'yes' } } });
        const [applied] = await apply([changed]);
        assert.equal(applied?.result, 'Updated', `${object.kind}: ${applied?.reason}`);
      }
    });

    it('names a node port that is taken', async (test) => {
      const skip = full();
      if (skip !== false) return test.skip(skip);
      const namespace = await world().freshNamespace();
      const service = (objectName: string): AnyObject => ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: objectName, namespace },
        spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 80, nodePort: 30_123 }] },
      });
      const [first] = await apply([sent(service('one'))]);
      assert.equal(first?.result, 'Created', String(first?.reason));
      const [second] = await apply([sent(service('two'))]);
      assert.equal(second?.result, 'Failed');
      assert.match(second?.reason ?? '', /nodePort.*30123/);
    });

    it('writes with the rights of the granted ServiceAccount only', async (test) => {
      const skip = full();
      if (skip !== false) return test.skip(skip);
      const namespace = await world().freshNamespace();
      const [applied] = await apply([sent(configMap(namespace))], everything, powerlessAccount);
      assert.equal(applied?.result, 'Failed');
      assert.match(applied?.reason ?? '', /forbids it to the grant.s ServiceAccount/);
    });

    it('applies a custom resource right after its CRD, at rest as its registration says, and starts it again', async () => {
      const namespace = await world().freshNamespace();
      const group = `${namespace}.example.com`;
      const queue = {
        apiVersion: `${group}/v1`,
        kind: 'Queue',
        metadata: { name: 'q', namespace },
        spec: { members: 3 },
      };
      const registration = {
        ...{ group, version: 'v1', kind: 'Queue', keepStatus: false },
        suspendOptions: { path: 'spec.members', type: 'int', value: '0' },
        customSuspendOptions: [{ path: 'spec.paused', type: 'bool', value: 'true' }],
      } as const;
      const resting = transformObject(queue, {
        ...{ pairId, namespaces: [namespace], serviceAddresses: 'Clear' },
        registrations: [registration],
      });
      const definition = sent(queueDefinition(group));
      assert.deepEqual(await resultsOf([definition]), ['Created']);
      const [first] = await apply([resting]);
      assert.equal(first?.result, 'Created', String(first?.reason));
      const queues: Resource = { group, version: 'v1', plural: 'queues', kind: 'Queue', namespaced: true };
      assert.deepEqual((await get(queues, namespace, 'q')).spec, { members: 0, paused: true });
      assert.deepEqual(await resultsOf([definition, resting]), ['Unchanged', 'Unchanged']);
      const { client } = world();
      const { messages } = await activateNamespace({ client }, namespace);
      assert.equal(messages.length, 2, messages.join());
      assert.deepEqual((await get(queues, namespace, 'q')).spec, { members: 3 });
      assert.deepEqual(await resultsOf([resting]), ['Unchanged'], 'a running one is left as it runs');
      await deactivateNamespace({ client }, { namespace, originals: 'Leave' });
      assert.deepEqual((await get(queues, namespace, 'q')).spec, { members: 0, paused: true });
    });
  });
}
