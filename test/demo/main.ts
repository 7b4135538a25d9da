/**
 * `npm run demo`: the main job on two real clusters. Builds the programs, starts the clusters, installs the agents with the
 * plugin, pairs them by a one-time code, migrates a MariaDB that is being written to, and compares every row.
 * `-- down` removes everything; `-- --contexts a,b [--image REF]` uses two clusters of yours instead.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Cluster, cluster, repository, run } from './commands.ts';
import { builtImageDigest, expectSuccess, install, pairBoth } from './pairing.ts';
import {
  countOrders,
  deployShop,
  digestShop,
  maxId,
  recordedHold,
  seedShop,
  shopNamespace,
  shopReady,
  startWriter,
} from './shop.ts';
import { createSteps, type Steps } from './steps.ts';

const rows = 1_100_000;
const testbed = ['test/testbed/main.ts'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { contexts: { type: 'string' }, image: { type: 'string' }, rows: { type: 'string' } },
});

if (positionals[0] === 'down') await down();
else await demo();

async function down(): Promise<void> {
  await testbedCommand(['down']);
}

async function demo(): Promise<void> {
  const own = values.contexts?.split(',');
  const steps = createSteps(own === undefined ? 8 : 6, (text) => process.stdout.write(text));
  const [a, b] = own === undefined ? await prepareTestbed(steps) : await prepareOwn(steps, own);
  await steps.run('Install an agent in each cluster: kubectl stork install', async () => {
    const options = own === undefined ? { imageDigest: builtImageDigest() } : { image: values.image };
    await Promise.all([install(a, options), install(b, options)]);
  });
  await steps.run(`Pair them by a one-time code: kubectl stork pair create ${a.context} ${b.context}`, async () => {
    steps.note((await pairBoth(a, b)).trim());
    steps.note((await a.stork(['get', 'clusterpair', '--all-namespaces'])).stdout.trim());
  });
  await showMigration(steps, a, b);
  process.stdout.write(`\n${steps.summary()}\n${tour(a, b, own === undefined)}`);
}

async function prepareTestbed(steps: Steps): Promise<readonly [Cluster, Cluster]> {
  await steps.run('Bring what this machine lacks (npm run setup)', () => node(['scripts/setup.ts']));
  await steps.run('Build the agent, its image and the plugin (npm run build)', async () => {
    const only = `agent-linux-${process.arch},image,plugin-linux-${process.arch}`;
    await node(['scripts/build.ts', '--only', only]);
  });
  await steps.run('Start two clusters: etcd, API server, scheduler, two nodes each, CSI storage', async () => {
    await testbedCommand(['up']);
    await testbedCommand(['load-image', 'dist/stork-agent-image.tar', 'mariadb']);
  });
  const path = (await run(process.execPath, [...testbed, 'kubeconfig'], { timeoutMs: 60_000 })).stdout.trim();
  return [cluster(path, 'a'), cluster(path, 'b')];
}

async function prepareOwn(steps: Steps, contexts: readonly string[]): Promise<readonly [Cluster, Cluster]> {
  const [first, second] = contexts;
  if (first === undefined || second === undefined) throw new Error('--contexts takes two contexts: --contexts a,b');
  const kubeconfig = process.env.KUBECONFIG ?? join(process.env.HOME ?? '', '.kube/config');
  await steps.run('Build the plugin (npm run build)', () =>
    node(['scripts/build.ts', '--only', `plugin-linux-${process.arch}`]),
  );
  if (values.image === undefined)
    steps.note(
      'No --image given: your clusters must be able to pull the plugin’s default image, and stork.test/mariadb:1 for the database.',
    );
  return [cluster(kubeconfig, first), cluster(kubeconfig, second)];
}

async function showMigration(steps: Steps, a: Cluster, b: Cluster): Promise<void> {
  const wanted = Number(values.rows ?? rows);
  await steps.run(
    `Deploy a MariaDB on ${a.context} and fill it with ${wanted.toLocaleString('en')} orders`,
    async () => {
      await clearNamespace([a, b], values.contexts === undefined ? 'OurTestBed' : 'ClustersOfOthers');
      await deployShop(a);
      if ((await countOrders(a)) < wanted) await seedShop(a, wanted);
      await startWriter(a);
      const size = await a.exec(shopNamespace, 'deployment/mysql', ['du', '-sm', '/var/lib/mysql']);
      steps.note(`${size.split('\t')[0]} MB on disk; a writer goes on inserting all the time`);
    },
  );
  await steps.run(
    'Migrate: kubectl stork migrate mysql --start, with a rule that holds the tables only for the cut',
    async () => {
      await a.apply(readFileSync(join(repository, 'examples/rules/mariadb.yaml'), 'utf8'));
      const args = [
        'migrate',
        shopNamespace,
        '--to',
        b.context,
        '--name',
        'mysqlmigration',
        '--pre-exec-rule',
        'mariadb-hold',
        '--start',
      ];
      expectSuccess(await a.stork(args, { show: 'Output', timeoutMs: 900_000 }));
      steps.note((await a.stork(['get', 'migration', '-n', shopNamespace])).stdout.trim());
    },
  );
  const recorded = await recordedHold(a, 'mysqlmigration');
  steps.note(`Writers were blocked for ${recorded.blockedMs} ms; the largest id under the lock was ${recorded.maxId}.`);
  await steps.run(`Compare every row up to id ${recorded.maxId} on both sides`, async () => {
    await shopReady(b);
    const [here, there] = await Promise.all([digestShop(a, recorded.maxId), digestShop(b, recorded.maxId)]);
    steps.note(
      `${a.context}: ${here.rows} rows, checksum ${here.checksum}\n${b.context}: ${there.rows} rows, checksum ${there.checksum}`,
    );
    if (here.rows !== there.rows || here.checksum !== there.checksum) throw new Error('the two databases differ');
    steps.note(`Equal. Meanwhile ${a.context} went on to id ${await maxId(a)}.`);
  });
}

/** A second demo starts afresh. On clusters that aren't ours nothing is deleted: whoever owns the namespace decides. */
async function clearNamespace(sides: readonly Cluster[], whose: 'OurTestBed' | 'ClustersOfOthers'): Promise<void> {
  for (const side of sides) {
    const found = await side.kubectl(['get', 'namespace', shopNamespace, '--ignore-not-found', '-o', 'name']);
    if (found.trim() === '') continue;
    if (whose === 'ClustersOfOthers')
      throw new Error(
        `namespace ${shopNamespace} exists on ${side.context}: the demo needs it for itself and deletes nothing of yours`,
      );
    await side.kubectl(['delete', 'namespace', shopNamespace, '--wait', '--timeout=120s']);
  }
}

async function node(args: readonly string[]): Promise<void> {
  expectSuccess(await run(process.execPath, args, { show: 'Output', timeoutMs: 1_800_000 }));
}

async function testbedCommand(args: readonly string[]): Promise<void> {
  await node([...testbed, ...args]);
}

function tour(a: Cluster, b: Cluster, ownTestbed: boolean): string {
  const lines = [
    '',
    'The clusters stay up. Look around:',
    ...(ownTestbed ? [`  export KUBECONFIG=${a.kubeconfig} PATH=$PATH:$PWD/dist/bin`] : []),
    `  kubectl stork status --context ${a.context}`,
    `  kubectl stork get migration -n ${shopNamespace} --context ${a.context}`,
    `  kubectl --context ${b.context} -n ${shopNamespace} get all,pvc`,
    ...(ownTestbed ? ['Remove everything: npm run demo -- down'] : []),
    '',
  ];
  return lines.join('\n');
}
