/** The main job on real clusters: PROMISES P14, P16, P17, P25; issue 3, acceptance 1 and 2. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { repository } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import {
  deployShop,
  digestShop,
  maxId,
  pauseWriter,
  recordedHold,
  seedShop,
  shopNamespace,
  shopReady,
  sql,
  startWriter,
  updateOnePercent,
} from '../demo/shop.ts';
import { type Bed, bed, leftovers, migration, removeNamespaces } from './bed.ts';
import { claimPath, differingPageBytes, digestOf, type KeptSnapshot, keepSnapshot, listingOf } from './volume-pages.ts';

const rows = 1_000_000;
const volume = { namespace: shopNamespace, name: 'mysql-data' };

describe('P17: a MariaDB migrates, is synced again, and starts on the other side', () => {
  let clusters: Bed;
  /** What A's storage held at the first cut. */
  let first: KeptSnapshot | undefined;
  before(async () => {
    clusters = await bed(['mariadb']);
    await removeNamespaces(clusters, shopNamespace);
    await deployShop(clusters.a);
    await seedShop(clusters.a, rows);
    await startWriter(clusters.a);
    await clusters.a.apply(readFileSync(join(repository, 'examples/rules/mariadb.yaml'), 'utf8'));
  });
  after(async () => {
    await removeNamespaces(clusters, shopNamespace);
    await first?.[Symbol.asyncDispose]();
  });

  const migrate = (name: string, ...flags: readonly string[]) =>
    clusters.a.stork(['migrate', shopNamespace, '--to', 'b', '--name', name, ...flags], { timeoutMs: 600_000 });

  it('copies under continuous inserts; the rule holds writers only for the cut', async () => {
    const { result, kept } = await keepSnapshot(clusters.a, volume, () =>
      migrate('first', '--pre-exec-rule', 'mariadb-hold'),
    );
    first = kept;
    expectSuccess(result);
    const done = await migration(clusters.a, shopNamespace, 'first');
    assert.equal(done.status.status, 'Successful', done.status.reason ?? '');
    assert.match(done.status.activeSide ?? '', /a .*active/);
    const hold = await recordedHold(clusters.a, 'first');
    console.log(`writers were blocked for ${hold.blockedMs} ms; max id under the lock ${hold.maxId}`);
    assert.ok(hold.maxId >= BigInt(rows));
    assert.ok(hold.blockedMs < 30_000);
    const deployment = await clusters.b.get<{
      spec: { replicas: number };
      metadata: { annotations: Record<string, string> };
    }>(['deployment', 'mysql', '-n', shopNamespace]);
    assert.equal(deployment.spec.replicas, 0);
    assert.equal(deployment.metadata.annotations['stork.libopenstorage.org/migrationReplicas'], '1');
    assert.deepEqual(await leftovers(clusters, done.metadata.uid), []);
  });

  it('P25: get migration prints Stork’s table, Final Successful 1/1 n/n', async () => {
    const { stdout } = expectSuccess(await clusters.a.stork(['get', 'migration', '-n', shopNamespace]));
    const [header = '', row = ''] = stdout.trim().split('\n');
    assert.match(header, /^NAME\s+CLUSTERPAIR\s+STAGE\s+STATUS\s+VOLUMES\s+RESOURCES\s+CREATED\s+ELAPSED/);
    const found = /^first\s+b\s+Final\s+Successful\s+1\/1\s+(\d+)\/(\d+)\s/.exec(row);
    assert.ok(found !== null, row);
    assert.equal(found[1], found[2]);
    assert.ok(Number(found[1]) >= 11, `only ${found[1]} resources`);
  });

  it('B holds what A’s snapshot held: by the agent’s digest, and by find and sha256sum', async () => {
    assert.ok(first !== undefined, 'the first sync left no snapshot to compare with');
    const received = await claimPath(clusters.b, volume.namespace, volume.name);
    const done = await migration(clusters.a, shopNamespace, 'first');
    const digest = await digestOf(first.path);
    assert.equal(await digestOf(received), digest);
    assert.equal(done.status.volumes?.[0]?.digest, digest);
    assert.equal(await listingOf(received), await listingOf(first.path));
  });

  it('a second sync with starting sends little more than the pages that differ', async () => {
    assert.ok(first !== undefined, 'the first sync left no snapshot to compare with');
    await updateOnePercent(clusters.a, rows, 1);
    const { result, kept } = await keepSnapshot(clusters.a, volume, () =>
      migrate('second', '--pre-exec-rule', 'mariadb-hold', '--start'),
    );
    await using second = kept;
    expectSuccess(result);
    const done = await migration(clusters.a, shopNamespace, 'second');
    const sent = done.status.volumes?.[0]?.bytesSent ?? 0;
    const differing = await differingPageBytes(first.path, second.path);
    console.log(
      `sent ${sent} bytes; 16 KiB pages that differ between the two snapshots: ${differing} bytes; ratio ${(sent / differing).toFixed(2)}`,
    );
    assert.ok(sent > 0);
    assert.ok(sent <= 3 * differing, `${sent} > 3 × ${differing}`);
    assert.equal(done.status.volumes?.[0]?.digest, await digestOf(second.path));
    const hold = await recordedHold(clusters.a, 'second');
    await shopReady(clusters.b);
    const [here, there] = await Promise.all([digestShop(clusters.a, hold.maxId), digestShop(clusters.b, hold.maxId)]);
    assert.deepEqual(there, here);
  });

  it('refuses a sync while the destination is active, naming the pod', async () => {
    const refused = await migrate('refused');
    assert.notEqual(refused.exitCode, 0);
    assert.match(refused.stdout + refused.stderr, /in use on the destination by pod mysql-/);
  });

  it('ends right with --overwrite-destination, and then sends next to nothing when nothing changed', async () => {
    await pauseWriter(clusters.a);
    expectSuccess(await migrate('overwrite', '--pre-exec-rule', 'mariadb-hold', '--overwrite-destination'));
    expectSuccess(await migrate('unchanged', '--pre-exec-rule', 'mariadb-hold'));
    const done = await migration(clusters.a, shopNamespace, 'unchanged');
    const sent = done.status.volumes?.[0]?.bytesSent ?? 0;
    console.log(`a sync without change sent ${sent} bytes`);
    assert.ok(sent < 2_000_000);
    // The database alone: the writer that the second sync started would go on inserting over there.
    await pauseWriter(clusters.b);
    await clusters.b.kubectl(['-n', shopNamespace, 'scale', 'deployment/mysql', '--replicas=1']);
    await shopReady(clusters.b);
    const table = 'CHECKSUM TABLE shop.orders';
    assert.equal(await sql(clusters.b, table), await sql(clusters.a, table));
    assert.equal(await maxId(clusters.b), await maxId(clusters.a));
  });
});
