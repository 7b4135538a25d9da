/**
 * What creating promises, on any API server, whoever dies or comes in between: nothing starts by itself, nothing foreign is
 * written.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject, KubeClient, Resource } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { faulty } from '../../../kube/fake/faulty.ts';
import { activateNamespace } from '../activation.ts';
import { at, setField } from '../fields.ts';
import { storkNames, suspendAnnotation } from '../names.ts';
import type { ResourcesWorld } from '../resources.suite.ts';
import { anyOf, configMap, deployment } from '../testing/sample-objects.ts';
import { transformObject } from '../transform/transform-object.ts';
import { type ApplyLimits, applyObjects, identityOfServiceAccount } from './apply-objects.ts';

const pairId = 'pair-1';
const identity = identityOfServiceAccount('stork-system/stork-peer');
const grant = { namespaces: ['*'], clusterScopedKinds: ['*'] };
const deployments: Resource = anyOf(core.deployments);
const configMaps: Resource = anyOf(core.configMaps);

export function describeCreating(name: string, world: () => ResourcesWorld): void {
  const apply = (
    objects: readonly AnyObject[],
    parts: { readonly client?: KubeClient; readonly limits?: ApplyLimits } = {},
  ) => {
    const { client, clock } = world();
    const migration = { namespace: 'shop', name: 'm1', time: clock.now().toISOString() };
    return applyObjects({ client, clock, identity, ...parts }, { objects, pairId, migration, grant });
  };
  const sent = (object: AnyObject) =>
    transformObject(object, {
      ...{ pairId, namespaces: [object.metadata.namespace ?? ''], registrations: [] },
      serviceAddresses: 'Clear',
    });
  const get = (resource: Resource, namespace: string, objectName: string) =>
    world().client.get(resource, { namespace, name: objectName });

  describe(`creating on ${name}`, () => {
    it('never starts a workload, wherever it is killed', async () => {
      const limits = { parallelObjects: 1, attempts: 1, pauseMs: 1 };
      const dieWhileApplying = async (object: AnyObject, write: number, moment: 'Before' | 'After') => {
        const dying = faulty(world().client);
        dying.dieAtWrite(write, moment);
        const dead = apply([object], { client: dying, limits });
        await assert.rejects(dead, `killed ${moment} write ${write}`);
      };
      const replicasIn = async (namespace: string) =>
        at(await world().client.find(deployments, { namespace, name: 'web' }), ['spec', 'replicas']) ?? 0;
      for (const moment of ['Before', 'After'] as const) {
        const made = await world().freshNamespace();
        const object = sent(deployment(made, { replicas: 3 }));
        await dieWhileApplying(object, 1, moment);
        assert.equal(await replicasIn(made), 0, moment);
        assert.ok(['Created', 'Unchanged'].includes((await apply([object]))[0]?.result ?? ''), moment);
        for (const write of [1, 2]) {
          const where = `killed ${moment} write ${write}`;
          const namespace = await world().freshNamespace();
          const web = (image: string) => sent(deployment(namespace, { replicas: 3, image }));
          await apply([web('web:1')]);
          await dieWhileApplying(web('web:2'), write, moment);
          assert.equal(await replicasIn(namespace), 0, where);
          await apply([web('web:2')]);
          assert.equal(await replicasIn(namespace), 0, where);
          await activateNamespace({ client: world().client }, namespace);
          await dieWhileApplying(web('web:3'), write, moment);
          assert.equal(await replicasIn(namespace), 3, `${where}, running`);
          await apply([web('web:3')]);
          const live = await get(deployments, namespace, 'web');
          assert.equal(at(live, ['spec', 'replicas']), 3, where);
          assert.equal(live.metadata.annotations?.[storkNames.migrationReplicas], '3', where);
        }
      }
    });

    it('leaves the switches that still rest at rest when others were started by hand', async () => {
      const namespace = await world().freshNamespace();
      const resting = (image: string) => {
        const object = sent(deployment(namespace, { replicas: 3, image }));
        const annotations = { ...object.metadata.annotations, [suspendAnnotation(['spec', 'paused'])]: ',true' };
        return setField({ ...object, metadata: { ...object.metadata, annotations } }, ['spec', 'paused'], true);
      };
      await apply([resting('web:1')]);
      const start = { type: 'merge', body: { spec: { paused: null } } } as const;
      await world().client.patch(deployments, { namespace, name: 'web' }, start, { fieldManager: 'somebody' });
      assert.equal((await apply([resting('web:2')]))[0]?.result, 'Updated');
      const live = await get(deployments, namespace, 'web');
      assert.deepEqual([at(live, ['spec', 'replicas']), at(live, ['spec', 'paused'])], [0, undefined]);
      assert.equal(live.metadata.annotations?.[storkNames.migrationReplicas], '3');
    });

    it('leaves what somebody makes between its look and its write', async () => {
      const namespace = await world().freshNamespace();
      const { client } = world();
      const racing = (object: AnyObject): KubeClient => {
        const rushed = faulty(client, async (verb, call) => {
          if (verb === 'apply') await client.create(configMaps, object);
          return call();
        });
        return rushed;
      };
      const limits = { parallelObjects: 1, attempts: 2, pauseMs: 1 };
      const race = async (objectName: string, data: Readonly<Record<string, string>>, count: number) => {
        const named = (object: AnyObject) => ({ ...object, metadata: { ...object.metadata, name: objectName } });
        const others = Array.from({ length: count - 1 }, (_, index) =>
          sent({ ...configMap(namespace), metadata: { name: `${objectName}-${index}`, namespace } }),
        );
        await apply(others);
        const objects = [sent(named(configMap(namespace, { key: 'ours' }))), ...others];
        const parts = { client: racing(named(configMap(namespace, data))), limits };
        const [applied] = await apply(objects, parts);
        return { applied, live: await get(configMaps, namespace, objectName) };
      };
      // Few objects are read one by one, many are listed.
      for (const count of [1, 20]) {
        const other = await race(`other-${count}`, { theirs: 'x' }, count);
        assert.equal(other.applied?.result, 'Conflict', String(other.applied?.reason));
        assert.match(other.applied?.reason ?? '', /did not come by a migration/);
        assert.deepEqual(other.live.data, { theirs: 'x' });
        assert.equal(other.live.metadata.annotations?.[storkNames.migrationPair], undefined);
        const same = await race(`same-${count}`, { key: 'ours' }, count);
        assert.equal(same.applied?.result, 'Unchanged', String(same.applied?.reason));
        assert.equal(same.live.metadata.annotations?.[storkNames.migrationPair], undefined);
      }
    });
  });
}
