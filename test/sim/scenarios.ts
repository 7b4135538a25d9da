/** What is migrated, and what the destination holds before. Each prepares both clusters and creates one Migration. */
import { createRecords } from '../../agent/migration/records.ts';
import { testPair } from '../../agent/migration/testing/connected-link.ts';
import { aWriter } from '../../agent/migration/testing/fake-workloads.ts';
import { plainClass } from '../../agent/migration/testing/plain-storage.ts';
import { agentNamespace, digestOf } from '../../agent/migration/testing/two-clusters.ts';
import { waitCommandPlaceholder } from '../../agent/rule/rule-run.ts';
import { applyDefaults } from '../../crds/schema/index.ts';
import { type MigrationSpecInput, migrations, rules } from '../../crds/v1alpha1/index.ts';
import type { ObjectKey } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { addClaim, addPod, type SimSide } from './side.ts';
import type { Simulation } from './simulation.ts';

export interface ClaimKey {
  readonly namespace: string;
  readonly name: string;
}

export interface Prepared {
  readonly migration: ObjectKey & { readonly namespace: string };
  readonly claims: readonly ClaimKey[];
  /** Whether all claims must hold one and the same generation in the end. */
  readonly cut: 'Together' | 'Each';
  /** Of storage without snapshots, written by the pods of a Deployment; absent: of other storage, by anybody. */
  readonly storageClass?: string | undefined;
}

export type Scenario = (sim: Simulation) => Promise<Prepared>;

export const holdSeconds = 120;
const claimsOfDb: readonly ClaimKey[] = ['data', 'logs'].map((name) => ({ namespace: 'db', name }));

/** Three blocks of one generation. */
export const generation = (name: string): string => [0, 1, 2].map((block) => `${name}.${block}`).join(',');

export const scenarios: Readonly<Record<string, Scenario>> = {
  async fresh(sim) {
    const [claim] = claimsOfDb;
    return await migrate(sim, { claims: claim === undefined ? [] : [claim], cut: 'Each' });
  },
  async update(sim) {
    await addSynced(sim, claimsOfDb);
    return await migrate(sim, { claims: claimsOfDb, cut: 'Each' });
  },
  async overwrite(sim) {
    const claims = claimsOfDb.slice(0, 1);
    await ensureNamespace(sim.b, 'db');
    for (const claim of claims) await addClaim(sim.b, claim, generation('theirs'));
    await addPod(sim.b, 'db', 'theirs', ['data']);
    return await migrate(sim, { claims, cut: 'Each' }, { overwriteDestination: true });
  },
  async namespaces(sim) {
    const claims = [...claimsOfDb, { namespace: 'web', name: 'files' }];
    await addSynced(sim, [{ namespace: 'web', name: 'files' }]);
    return await migrate(sim, { claims, cut: 'Each' });
  },
  async hold(sim) {
    const migrated = { claims: claimsOfDb, cut: 'Together' } as const;
    await ensureNamespace(sim.a, 'db');
    await sim.a.cluster.client.create(rules, {
      apiVersion: rules.apiVersion,
      kind: 'Rule',
      metadata: { name: 'lock', namespace: 'db' },
      rules: [
        {
          podSelector: { app: 'db' },
          actions: [
            {
              ...{ type: 'command', background: true, timeoutSeconds: holdSeconds },
              ...{ value: `lock; ${waitCommandPlaceholder}`, onError: 'Fail', runInSinglePod: false },
            },
          ],
        },
      ],
    });
    return await migrate(sim, migrated, { preExecRule: 'lock' });
  },
  async quiesce(sim) {
    const claims = claimsOfDb;
    await addSynced(sim, claims.slice(1), plainClass);
    return await migrate(sim, { claims, cut: 'Together', storageClass: plainClass }, { quiesce: true });
  },
  async nothing(sim) {
    return await migrate(sim, { claims: [], cut: 'Each' });
  },
};

async function migrate(
  sim: Simulation,
  what: Pick<Prepared, 'claims' | 'cut' | 'storageClass'>,
  spec: Partial<MigrationSpecInput> = {},
): Promise<Prepared> {
  const namespaces = [...new Set(['db', ...what.claims.map(({ namespace }) => namespace)])];
  for (const namespace of namespaces) {
    const own = what.claims.filter((claim) => claim.namespace === namespace);
    await ensureNamespace(sim.a, namespace);
    for (const claim of own) await addClaim(sim.a, claim, generation('first'), what.storageClass);
    const names = own.map(({ name }) => name);
    if (what.storageClass === undefined) await addPod(sim.a, namespace, 'app', names);
    else await sim.a.cluster.client.create(core.deployments, { ...aWriter('app', names) });
  }
  const migration = { namespace: namespaces.length === 1 ? 'db' : agentNamespace, name: 'move' };
  const object = {
    apiVersion: migrations.apiVersion,
    kind: 'Migration',
    metadata: migration,
    spec: { clusterPair: 'pair', namespaces, ...spec },
  };
  await sim.a.cluster.client.create(migrations, applyDefaults(migrations.schema, object));
  return { ...what, migration };
}

/** As an earlier sync left it: both sides remember the point. The source's uid is not known yet, nor needed. */
async function addSynced({ b }: Simulation, claims: readonly ClaimKey[], storageClass?: string): Promise<void> {
  const records = createRecords(b.cluster.client, agentNamespace);
  for (const { namespace, name } of claims) {
    await ensureNamespace(b, namespace);
    await addClaim(b, { namespace, name }, generation('old'), storageClass);
    const { metadata } = await b.cluster.client.get(core.persistentVolumeClaims, { namespace, name });
    await records.saveClaim({
      ...{ namespace, name, claimUid: metadata.uid ?? '', pairId: testPair.id, role: 'Destination' },
      ...{ digest: digestOf(generation('old')), point: 1, operation: 'earlier', time: '2026-01-01T00:00:00Z' },
    });
  }
}

async function ensureNamespace({ cluster }: SimSide, name: string): Promise<void> {
  if ((await cluster.client.find(core.namespaces, { name })) !== undefined) return;
  await cluster.client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}
