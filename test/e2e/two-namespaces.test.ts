/** Issue 3, acceptance 3: two namespaces in one Migration, inactive, activated, and back over the same pair (M1–M3). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Cluster, repository } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { agentNamespace, type Bed, bed, leftovers, migration, removeNamespaces } from './bed.ts';

const namespaces = ['ledger', 'cache'];

async function psql(side: Cluster, statement: string): Promise<string> {
  const command = ['psql', '-U', 'postgres', '-At', '-c', statement];
  return (await side.exec('ledger', 'statefulset/postgresql', command)).trim();
}

const redis = async (side: Cluster, ...words: readonly string[]) =>
  (await side.exec('cache', 'deployment/redis', ['redis-cli', ...words])).trim();

async function appsReady(side: Cluster): Promise<void> {
  await side.kubectl(['-n', 'ledger', 'rollout', 'status', 'statefulset/postgresql', '--timeout=120s']);
  await side.kubectl(['-n', 'cache', 'rollout', 'status', 'deployment/redis', '--timeout=120s']);
}

async function replicasOf(side: Cluster): Promise<readonly number[]> {
  const both = [
    ['statefulset/postgresql', 'ledger'],
    ['deployment/redis', 'cache'],
  ] as const;
  return await Promise.all(
    both.map(
      async ([name, namespace]) =>
        (await side.get<{ spec: { replicas: number } }>([name, '-n', namespace])).spec.replicas,
    ),
  );
}

describe('a StatefulSet with two volumes and a Deployment, in two namespaces', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['postgresql', 'redis']);
    await removeNamespaces(clusters, ...namespaces);
    for (const side of [clusters.a, clusters.b])
      await side.kubectl(['-n', agentNamespace, 'delete', 'migrations', 'there', 'back', '--ignore-not-found']);
    for (const name of namespaces) await clusters.a.kubectl(['create', 'namespace', name]);
    for (const file of ['postgresql.yaml', 'redis.yaml'])
      await clusters.a.apply(readFileSync(join(repository, 'examples/apps', file), 'utf8'));
    await appsReady(clusters.a);
    await psql(
      clusters.a,
      'CREATE TABLE entries AS SELECT i AS id, md5(i::text) AS text FROM generate_series(1, 50000) i',
    );
    await clusters.a.exec('ledger', 'statefulset/postgresql', ['sh', '-c', 'echo first > /archive/segment']);
    await redis(clusters.a, 'set', 'greeting', 'hello');
  });
  after(() => removeNamespaces(clusters, ...namespaces));

  const migrate = (from: Cluster, to: string, name: string) =>
    from.stork(['migrate', ...namespaces, '--to', to, '--name', name], { timeoutMs: 300_000 });

  const stopOriginals = async (namespace: string) => {
    const asked = ['deactivate', 'migration', '-n', namespace];
    const { exitCode, stderr } = await clusters.a.stork(asked, { timeoutMs: 120_000 });
    assert.equal(exitCode, 1);
    assert.match(stderr, /came by a migration, and 1 workload runs on/);
    expectSuccess(await clusters.a.stork([...asked, '--include-originals'], { timeoutMs: 120_000 }));
  };

  it('M1, M2: one Migration brings both, with replicas 0 and the count remembered', async () => {
    for (const namespace of namespaces) await stopOriginals(namespace);
    for (const [namespace, app] of [
      ['ledger', 'postgresql'],
      ['cache', 'redis'],
    ] as const)
      await clusters.a.kubectl(['-n', namespace, 'wait', '--for=delete', 'pod', '-l', `app=${app}`, '--timeout=180s']);
    expectSuccess(await migrate(clusters.a, 'b', 'there'));
    const done = await migration(clusters.a, agentNamespace, 'there');
    assert.equal(done.status.status, 'Successful', done.status.reason ?? '');
    assert.equal(done.status.summary?.volumes, '3/3');
    assert.deepEqual(await replicasOf(clusters.b), [0, 0]);
    assert.deepEqual(await leftovers(clusters, done.metadata.uid), []);
  });

  it('M2: activate brings the original counts, and the data is there', async () => {
    const ledger = expectSuccess(
      await clusters.b.stork(['activate', 'migration', '-n', 'ledger'], { timeoutMs: 120_000 }),
    );
    assert.match(ledger.stdout, /Updated replicas for statefulset ledger\/postgresql to 1/);
    expectSuccess(await clusters.b.stork(['activate', 'migration', '-n', 'cache'], { timeoutMs: 120_000 }));
    await appsReady(clusters.b);
    assert.equal(
      await psql(clusters.b, "SELECT count(*) || ' ' || md5(string_agg(text, '' ORDER BY id)) FROM entries"),
      '50000 '.concat(await expectedDigest(clusters.b)),
    );
    assert.equal(
      (await clusters.b.exec('ledger', 'statefulset/postgresql', ['cat', '/archive/segment'])).trim(),
      'first',
    );
    assert.equal(await redis(clusters.b, 'get', 'greeting'), 'hello');
  });

  it('M3: what was changed over there comes back over the same pair', async () => {
    await psql(clusters.b, "INSERT INTO entries VALUES (50001, 'made on b')");
    await redis(clusters.b, 'set', 'greeting', 'hello from b');
    for (const namespace of namespaces)
      expectSuccess(await clusters.b.stork(['deactivate', 'migration', '-n', namespace], { timeoutMs: 120_000 }));
    for (const [namespace, app] of [
      ['ledger', 'postgresql'],
      ['cache', 'redis'],
    ] as const)
      await clusters.b.kubectl(['-n', namespace, 'wait', '--for=delete', 'pod', '-l', `app=${app}`, '--timeout=180s']);
    expectSuccess(await migrate(clusters.b, 'a', 'back'));
    const done = await migration(clusters.b, agentNamespace, 'back');
    assert.equal(done.status.status, 'Successful', done.status.reason ?? '');
    for (const namespace of namespaces)
      expectSuccess(await clusters.a.stork(['activate', 'migration', '-n', namespace], { timeoutMs: 120_000 }));
    await appsReady(clusters.a);
    assert.deepEqual(await replicasOf(clusters.a), [1, 1]);
    assert.equal(await psql(clusters.a, 'SELECT text FROM entries WHERE id = 50001'), 'made on b');
    assert.equal(await redis(clusters.a, 'get', 'greeting'), 'hello from b');
    assert.deepEqual(await leftovers(clusters, done.metadata.uid), []);
  });
});

/** The digest that the 50,000 generated texts must have, computed by the same server from scratch. */
async function expectedDigest(side: Cluster): Promise<string> {
  return await psql(side, "SELECT md5(string_agg(md5(i::text), '' ORDER BY i)) FROM generate_series(1, 50000) i");
}
