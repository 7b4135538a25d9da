/** What a plan promises, on any API server: it writes nothing, and applying does what it said. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject, Resource } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import type { ResourcesWorld } from '../resources.suite.ts';
import { anyOf, configMap, cronJob, deployment, queueDefinition } from '../testing/sample-objects.ts';
import { transformObject } from '../transform/transform-object.ts';
import { applyObjects, identityOfServiceAccount } from './apply-objects.ts';
import { type Coming, comingFrom, nothingComing } from './plan-untried.ts';

const peer = identityOfServiceAccount('stork-system/stork-peer');
const powerless = identityOfServiceAccount('stork-system/nobody');
const pairId = 'pair-1';

export function describePlanning(name: string, world: () => ResourcesWorld): void {
  const call = (objects: readonly AnyObject[], plan: Coming | undefined, identity = peer) => {
    const { client, clock } = world();
    const migration = { namespace: 'shop', name: 'm1', time: clock.now().toISOString() };
    const grant = { namespaces: ['*'], clusterScopedKinds: ['*'] };
    return applyObjects({ client, clock, identity }, { objects, pairId, migration, grant, plan });
  };
  const plan = (objects: readonly AnyObject[], coming = nothingComing) => call(objects, coming);
  const apply = (objects: readonly AnyObject[]) => call(objects, undefined);
  const sent = (object: AnyObject) =>
    transformObject(object, {
      ...{ pairId, namespaces: [object.metadata.namespace ?? ''], registrations: [] },
      serviceAddresses: 'Clear',
    });
  const service = (namespace: string, port: number): AnyObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace },
    spec: { selector: { app: 'web' }, ports: [{ port, protocol: 'TCP', targetPort: 80 }] },
  });
  const kinds: readonly Resource[] = [core.configMaps, core.deployments, core.cronJobs, core.services].map(anyOf);
  const versions = async (namespace: string) => {
    const found: string[] = [];
    for (const kind of kinds)
      for await (const { metadata } of world().client.list(kind, { namespace }))
        found.push(`${kind.kind}/${metadata.name} ${metadata.resourceVersion}`);
    return found;
  };
  /** Plans, sees that nothing was written, applies, and sees that it was as planned. */
  const both = async (namespace: string, objects: readonly AnyObject[]) => {
    const before = await versions(namespace);
    const planned = await plan(objects);
    assert.deepEqual(await versions(namespace), before);
    const applied = await apply(objects);
    const told = (results: typeof applied) => results.map(({ ref, result, reason }) => ({ ref, result, reason }));
    assert.deepEqual(told(planned), told(applied));
    return planned;
  };

  describe(`planning on ${name}`, () => {
    it('says what applying then does, and writes nothing', async () => {
      const namespace = await world().freshNamespace();
      const all = (image: string, replicas: number, port: number, key: string) =>
        [
          deployment(namespace, { image, replicas }),
          cronJob(namespace, {}),
          service(namespace, port),
          configMap(namespace, { key, same: 'x' }),
        ].map(sent);
      const resultsOf = (planned: Awaited<ReturnType<typeof both>>) => planned.map(({ result }) => result);
      assert.deepEqual(resultsOf(await both(namespace, all('web:1', 2, 80, 'a'))), Array(4).fill('Created'));
      assert.deepEqual(resultsOf(await both(namespace, all('web:1', 2, 80, 'a'))), Array(4).fill('Unchanged'));
      const changed = await both(namespace, all('web:2', 3, 81, 'b'));
      assert.deepEqual(resultsOf(changed), ['Updated', 'Unchanged', 'Updated', 'Updated']);
      assert.deepEqual(
        changed.map(({ changes }) => (changes ?? []).map(({ path }) => path)),
        [
          [
            'metadata.annotations[stork.libopenstorage.org/migrationReplicas]',
            'spec.template.spec.containers[web].image',
          ],
          [],
          ['spec.ports'],
          ['data.key'],
        ],
      );
    });

    it('tells conflicts, of objects and of fields', async () => {
      const namespace = await world().freshNamespace();
      const { client } = world();
      await client.create(anyOf(core.configMaps), configMap(namespace, { key: 'theirs' }));
      const [foreign] = await both(namespace, [sent(configMap(namespace))]);
      assert.equal(foreign?.result, 'Conflict');
      await apply([sent(deployment(namespace, {}))]);
      const scaled = { type: 'merge', body: { spec: { paused: true, minReadySeconds: 5 } } } as const;
      await client.patch(anyOf(core.deployments), { namespace, name: 'web' }, scaled, { fieldManager: 'somebody' });
      const wanted = deployment(namespace, { image: 'web:2' });
      const [taken] = await both(namespace, [
        sent({ ...wanted, spec: { ...Object(wanted.spec), minReadySeconds: 9 } }),
      ]);
      assert.equal(taken?.result, 'Conflict');
      assert.match(taken?.reason ?? '', /minReadySeconds/);
    });

    it('does without the server what needs an earlier object, and says so', async () => {
      const namespace = `${await world().freshNamespace()}-later`;
      const group = `${namespace}.example.com`;
      const home = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
      const definition = queueDefinition(group);
      const coming = [home, definition].map(comingFrom).reduce((one, other) => ({
        namespaces: [...one.namespaces, ...other.namespaces],
        kinds: [...one.kinds, ...other.kinds],
        roles: [],
      }));
      const queue = { apiVersion: `${group}/v1`, kind: 'Queue', metadata: { name: 'q', namespace } };
      const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } };
      const objects = [home, definition, queue, configMap(namespace), account].map(sent);
      const planned = await plan(objects, coming);
      assert.deepEqual(
        planned.map(({ result, tried }) => `${result} ${tried ?? 'Yes'}`),
        ['Created Yes', 'Created Yes', 'Created No', 'Created No', 'Unchanged No'],
      );
      assert.equal(await world().client.find(core.namespaces, { name: namespace }), undefined);
    });

    it('asks whether the account may write what it can not try', async (test) => {
      if (world().checks !== 'Full') return test.skip('needs a server with RBAC');
      const coming = { ...nothingComing, namespaces: ['nowhere'] };
      const [planned] = await call([sent(configMap('nowhere'))], coming, powerless);
      assert.equal(planned?.result, 'Failed');
      assert.match(planned?.reason ?? '', /ServiceAccount may not write it: configmaps/);
    });

    it('tries what the account may not do, what is invalid, and a binding whose role comes first', async (test) => {
      if (world().checks !== 'Full') return test.skip('needs a server with RBAC and schemas');
      const namespace = await world().freshNamespace();
      const broken = { ...service(namespace, 80), spec: { ports: [{ port: -1 }] } };
      const [invalid] = await both(namespace, [sent(broken)]);
      assert.equal(invalid?.result, 'Failed');
      const [forbidden] = await call([sent(configMap(namespace))], nothingComing, powerless);
      assert.equal(forbidden?.result, 'Failed');
      const rbac = 'rbac.authorization.k8s.io';
      const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
      const role = { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { name: 'reader', namespace }, rules };
      const binding = {
        ...{ apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata: { name: 'reads', namespace }, subjects: [] },
        roleRef: { apiGroup: rbac, kind: 'Role', name: 'reader' },
      };
      const [planned] = await plan([sent(binding)], comingFrom(sent(role)));
      assert.equal(planned?.result, 'Created', planned?.reason ?? '');
      assert.deepEqual(
        (await apply([sent(role)])).map(({ result }) => result),
        ['Created'],
      );
      assert.deepEqual(
        (await apply([sent(binding)])).map(({ result }) => result),
        ['Created'],
      );
    });
  });
}
