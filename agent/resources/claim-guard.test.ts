import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject } from '../../kube/client/client.ts';
import { core, type StatefulSet } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { activateNamespace, deactivateNamespace } from './activation.ts';
import { claimGuard } from './claim-guard.ts';
import { annotate, at, setField } from './fields.ts';
import { storkNames, suspendAnnotation } from './names.ts';
import { purgeObjects } from './purge/purge-objects.ts';
import { planRest, planResume } from './quiesce/rest.ts';
import { stopOwners } from './stop-owners.ts';
import { planStart, planStop } from './switches.ts';
import { anyOf, queueDefinition } from './testing/sample-objects.ts';
import { transformObject } from './transform/transform-object.ts';

const policyPath = ['spec', 'persistentVolumeClaimRetentionPolicy'];
const replicasPath = ['spec', 'replicas'];
const guardMark = suspendAnnotation(claimGuard.path);
const key = { namespace: 'shop', name: 'db' };

const statefulSet = (
  more: object = {},
  policy: object = { whenScaled: 'Delete', whenDeleted: 'Delete' },
): AnyObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { ...key, uid: 'uid-db', ...more },
  spec: {
    replicas: 2,
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image: 'c' }] } },
    persistentVolumeClaimRetentionPolicy: policy,
  },
});

function aCluster(object: AnyObject) {
  const server = fakeApiServer({ clock: manualClock() });
  server.seed(core.statefulSets, object as StatefulSet);
  const look = async () => ({ ...(await server.client().get(core.statefulSets, key)) }) as AnyObject;
  return { server, client: server.client(), look };
}

/** What the policy and replicas say together. */
const says = (object: unknown) => [at(object, replicasPath), at(object, claimGuard.path)];

describe('a StatefulSet that deletes its claims when it is scaled down', () => {
  it('is stopped with Retain in the same write, and set back when it starts', async () => {
    const { client, look } = aCluster(annotate(statefulSet(), { [storkNames.migrationReplicas]: '2' }));
    await deactivateNamespace({ client }, { namespace: 'shop', originals: 'Leave' });
    assert.deepEqual(says(await look()), [0, 'Retain']);
    await activateNamespace({ client }, 'shop');
    assert.deepEqual(says(await look()), [2, 'Delete']);
    assert.equal(at(await look(), [...policyPath, 'whenDeleted']), 'Delete');
  });

  it('one patch has both', () => {
    assert.deepEqual(says(planStop(statefulSet())?.patch), [0, 'Retain']);
    const stopped = setField(setField(statefulSet(), replicasPath, 0), claimGuard.path, 'Retain');
    const marks = { [storkNames.migrationReplicas]: '2', [guardMark]: 'Delete,Retain' };
    assert.deepEqual(says(planStart(annotate(stopped, marks))?.patch), [2, 'Delete']);
    const rested = planRest(statefulSet(), {
      operation: 'o',
      migration: 'm',
      fields: [{ path: replicasPath, stopping: 0 }],
    });
    assert.deepEqual(says(rested?.patch), [0, 'Retain']);
    const note = at(rested?.patch, ['metadata', 'annotations', storkNames.quiesced]);
    const resumed = planResume(annotate(stopped, { [storkNames.quiesced]: String(note) }), 'o');
    assert.deepEqual(says(resumed?.patch), [2, 'Delete']);
  });

  it('left at rest by an operation that is gone gets its policy back from the next', () => {
    const fields = [{ path: replicasPath, stopping: 0 }];
    const first = planRest(statefulSet(), { operation: 'gone', migration: 'm', fields });
    const stopped = setField(setField(statefulSet(), replicasPath, 0), claimGuard.path, 'Retain');
    const noted = (patch: unknown) =>
      annotate(stopped, {
        [storkNames.quiesced]: String(at(patch, ['metadata', 'annotations', storkNames.quiesced])),
      });
    const second = planRest(noted(first?.patch), { operation: 'next', migration: 'm', fields });
    assert.deepEqual(says(planResume(noted(second?.patch), 'next')?.patch), [2, 'Delete']);
  });

  it('is not touched when it rests already', () => {
    assert.equal(planStop(setField(statefulSet(), replicasPath, 0)), undefined);
  });

  it('that somebody set to Retain while it ran stays at Retain', async () => {
    const marks = { [storkNames.migrationReplicas]: '2', [guardMark]: 'Delete,Retain' };
    const { client, look } = aCluster(annotate(statefulSet({}, { whenScaled: 'Retain' }), marks));
    await deactivateNamespace({ client }, { namespace: 'shop', originals: 'Leave' });
    await activateNamespace({ client }, 'shop');
    assert.deepEqual(says(await look()), [2, 'Retain']);
  });

  it('travels at rest with Retain, there and back', () => {
    const context = { pairId: 'p', namespaces: ['shop'], serviceAddresses: 'Clear', registrations: [] } as const;
    const there = transformObject(statefulSet(), context);
    assert.deepEqual(says(there), [0, 'Retain']);
    assert.deepEqual(says(planStart(there)?.patch), [2, 'Delete']);
    const back = transformObject(there, context);
    assert.deepEqual(says(planStart(back)?.patch), [2, 'Delete']);
    const running = setField(setField(there, replicasPath, 3), claimGuard.path, 'Retain');
    assert.deepEqual(says(planStart(transformObject(running, context))?.patch), [3, undefined]);
  });

  it('is stopped with Retain where a volume of it is overwritten', async () => {
    const { server, client, look } = aCluster(statefulSet());
    const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'uid-db', controller: true };
    const metadata = { namespace: 'shop', name: 'db-0', ownerReferences: [owner] };
    server.seed(core.pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [{ name: 'c' }] } });
    const { failures } = await stopOwners(client, { namespace: 'shop', names: ['db-0'] });
    assert.deepEqual(failures, []);
    assert.deepEqual(says(await look()), [0, 'Retain']);
  });

  it('is not scaled down where Git would set the policy back', async () => {
    const annotations = {
      [storkNames.migrationReplicas]: '2',
      'argocd.argoproj.io/tracking-id': 'shop:apps/StatefulSet',
    };
    const { client, look } = aCluster(statefulSet({ annotations }));
    const { failures } = await deactivateNamespace({ client }, { namespace: 'shop', originals: 'Leave' });
    assert.match(
      failures.join(),
      /db deletes its claims .*Argo CD \(application shop\).*set it to Retain in Git first/,
    );
    assert.deepEqual(says(await look()), [2, 'Delete']);
  });

  it('is not stopped through the custom resource that makes it', async () => {
    const ownerReferences = [
      { apiVersion: 'x.example.com/v1', kind: 'Queue', name: 'q', uid: 'uid-q', controller: true },
    ];
    const { client, server } = aCluster(statefulSet({ ownerReferences }));
    await client.create(anyOf(core.customResourceDefinitions), queueDefinition('x.example.com'));
    const queues = { group: 'x.example.com', version: 'v1', plural: 'queues', kind: 'Queue', namespaced: true };
    const mark = suspendAnnotation(['spec', 'members']);
    const metadata = {
      ...{ namespace: 'shop', name: 'q', uid: 'uid-q' },
      ...{ labels: { [storkNames.migrated]: 'true' }, annotations: { [mark]: '3,0' } },
    };
    const queue = { apiVersion: 'x.example.com/v1', kind: 'Queue', metadata, spec: { members: 3 } };
    server.seed(queues, queue);
    const { failures } = await deactivateNamespace({ client }, { namespace: 'shop', originals: 'Leave' });
    assert.match(failures.join(), /db deletes its claims .*queue shop\/q makes it: set it to Retain by queue first/);
    assert.equal(at(await client.get<AnyObject>(queues, metadata), ['spec', 'members']), 3);
  });
});

describe('a StatefulSet that deletes its claims with itself', () => {
  it('is purged without them', async () => {
    const marks = {
      [storkNames.migrationPair]: 'p',
      [storkNames.sourceUid]: 'there',
      [storkNames.migrationTime]: '2026-01-02T00:00:00Z',
    };
    const { server, client } = aCluster(annotate(setField(statefulSet(), replicasPath, 0), marks));
    const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'uid-db', controller: true };
    const claim = { namespace: 'shop', name: 'data-db-0' };
    server.seed(core.persistentVolumeClaims, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
      metadata: { ...claim, ownerReferences: [owner] },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    const { results } = await purgeObjects(
      { client, writer: client, running: new Map(), maxResults: 10 },
      {
        pairId: 'p',
        since: '2026-01-03T00:00:00Z',
        namespaces: { shop: '2026-01-01T00:00:00Z' },
        ...{ selectors: {}, excludeSelectors: {}, mode: 'Run' },
        scopes: [{ namespace: 'shop', group: 'apps', version: 'v1', kind: 'StatefulSet', names: [] }],
      },
    );
    assert.deepEqual(
      results.map(({ result }) => result),
      ['Purged'],
    );
    const left = await client.get(core.persistentVolumeClaims, claim);
    assert.deepEqual(left.metadata.ownerReferences ?? [], []);
  });
});
