/**
 * The demo's database: a MariaDB with a million orders and a writer that never stops. What is compared between two
 * clusters is every row up to the id that the rule recorded while it held the lock.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, patience, repository } from './commands.ts';

export const shopNamespace = 'mysql';

const example = (name: string) => readFileSync(join(repository, 'examples/demo', name), 'utf8');

export interface ShopDigest {
  readonly rows: number;
  readonly checksum: string;
}

export async function deployShop(cluster: Cluster): Promise<void> {
  await cluster.apply(`apiVersion: v1\nkind: Namespace\nmetadata: { name: ${shopNamespace} }\n`);
  await cluster.apply(example('mariadb.yaml'));
  await shopReady(cluster);
}

export async function shopReady(cluster: Cluster): Promise<void> {
  await cluster.kubectl(['-n', shopNamespace, 'rollout', 'status', 'deployment/mysql', '--timeout=180s']);
  for (let attempt = 0; attempt < 60 * patience; attempt++) {
    const answer = await sql(cluster, 'SELECT 1').catch(() => '');
    if (answer === '1') return;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error(`the database did not answer within ${60 * patience} s of its pod being ready`);
}

/** Fills `shop.orders` with `rows` rows of about 290 bytes; more than 300 MB on disk for a million. */
export async function seedShop(cluster: Cluster, rows: number): Promise<void> {
  await sql(
    cluster,
    `CREATE DATABASE IF NOT EXISTS shop; USE shop;
     CREATE OR REPLACE TABLE shop.orders (id BIGINT PRIMARY KEY AUTO_INCREMENT, customer INT NOT NULL, payload VARCHAR(300) NOT NULL, KEY (customer)) ENGINE=InnoDB;
     SET unique_checks=0; SET sql_log_bin=0;
     INSERT INTO shop.orders (id, customer, payload) SELECT seq, seq % 1000, CONCAT(SHA2(seq,512), SHA2(seq+0.5,512)) FROM seq_1_to_${rows};
     GRANT ALL ON *.* TO 'root'@'%' IDENTIFIED BY 'not-a-real-secret' WITH GRANT OPTION;`,
  );
}

/** Rows there are now; 0 when the table is not there yet. */
export async function countOrders(cluster: Cluster): Promise<number> {
  const table = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='shop' AND table_name='orders'";
  return (await sql(cluster, table)) === '1' ? Number(await sql(cluster, 'SELECT COUNT(*) FROM shop.orders')) : 0;
}

export async function startWriter(cluster: Cluster): Promise<void> {
  await cluster.apply(example('writer.yaml'));
  await cluster.kubectl(['-n', shopNamespace, 'rollout', 'status', 'deployment/writer', '--timeout=120s']);
}

export async function pauseWriter(cluster: Cluster): Promise<void> {
  await cluster.kubectl(['-n', shopNamespace, 'scale', 'deployment/writer', '--replicas=0']);
  await cluster.kubectl(['-n', shopNamespace, 'wait', '--for=delete', 'pod', '-l', 'app=writer', '--timeout=60s']);
}

/** Updates a contiguous 1 % of the ids. */
export async function updateOnePercent(cluster: Cluster, rows: number, generation: number): Promise<void> {
  const from = Math.floor(rows / 2);
  const to = from + Math.floor(rows / 100) - 1;
  await sql(
    cluster,
    `UPDATE shop.orders SET payload = CONCAT(SHA2(id+${generation},512), SHA2(id*${generation + 1},512)) WHERE id BETWEEN ${from} AND ${to}`,
  );
}

export async function digestShop(cluster: Cluster, upToId: bigint): Promise<ShopDigest> {
  const row = await sql(
    cluster,
    `SELECT COUNT(*), CONCAT(BIT_XOR(CRC32(CONCAT_WS('#', id, customer, payload))), '-', SUM(CRC32(CONCAT(payload, id)))) FROM shop.orders WHERE id <= ${upToId}`,
  );
  const [rows = '', checksum = ''] = row.split('\t');
  return { rows: Number(rows), checksum };
}

export async function maxId(cluster: Cluster): Promise<bigint> {
  return BigInt(await sql(cluster, 'SELECT MAX(id) FROM shop.orders'));
}

/** What the rule wrote down while it held the lock, and for how long it did. */
export async function recordedHold(
  source: Cluster,
  name: string,
): Promise<{ readonly maxId: bigint; readonly blockedMs: number }> {
  const { status } = await source.get<{ status: RuleStatus }>(['migration', name, '-n', shopNamespace]);
  const targets = status.rule.pre.steps.flatMap((step) => step.targets);
  const output = targets.map((target) => target.output ?? '').join('\n');
  const found = /max_id=(\d+)/.exec(output)?.[1];
  if (found === undefined) throw new Error(`the rule recorded no max_id; its output was: ${output}`);
  return { maxId: BigInt(found), blockedMs: status.rule.blockedMilliseconds };
}

interface RuleStatus {
  readonly rule: {
    readonly blockedMilliseconds: number;
    readonly pre: { readonly steps: readonly { readonly targets: readonly { readonly output?: string }[] }[] };
  };
}

/** Runs SQL in the database's pod through its socket; answers the rows, tab-separated, without header. */
export async function sql(cluster: Cluster, statement: string): Promise<string> {
  const out = await cluster.exec(shopNamespace, 'deployment/mysql', ['mariadb', '--batch', '--skip-column-names'], {
    stdin: statement,
    timeoutMs: 600_000,
  });
  return out.trim();
}
