/**
 * The built plugin against real API servers (K1–K3, K9, K11): tables of each kind, what a person forgets or mistypes, what is
 * there already, stopping and starting. What it prints in every case: plugin/*.test.ts.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { expectSuccess } from '../demo/pairing.ts';
import { agentNamespace, type Bed, bed, eventually, removeNamespaces } from './bed.ts';
import { fieldOf, storkVersion } from './run-migration.ts';

const namespace = 'words';
const clusterPairs = 'clusterpairs.stork.libopenstorage.org';
/** The pair's names on a and on b. */
const unused = { a: 'words-joins', b: 'words-invites' } as const;
const nowhere = 'nowhere.stork.test:30443';

interface Kind {
  readonly word: string;
  readonly kind: string;
  readonly fields: object;
  readonly header: RegExp;
}

const kinds: readonly Kind[] = [
  {
    word: 'migration',
    kind: 'Migration',
    fields: { spec: { clusterPair: 'nope', namespaces: [namespace] } },
    header: /^NAME +CLUSTERPAIR +STAGE +STATUS +VOLUMES +RESOURCES +CREATED +ELAPSED$/,
  },
  {
    word: 'clusterpair',
    kind: 'ClusterPair',
    fields: { spec: { join: { codeSecret: 'nope' } } },
    header: /^NAME +STORAGE-STATUS +SCHEDULER-STATUS +CREATED$/,
  },
  {
    word: 'rule',
    kind: 'Rule',
    fields: { rules: [{ podSelector: { app: 'db' }, actions: [{ type: 'command', value: 'sync' }] }] },
    header: /^NAME +PODS +ACTIONS +BACKGROUND +CREATED$/,
  },
  {
    word: 'resourcetransformation',
    kind: 'ResourceTransformation',
    fields: {
      specs: {
        transformSpecs: [
          { resource: '/v1/Service', paths: [{ path: 'spec.type', value: 'NodePort', operation: 'modify' }] },
        ],
      },
    },
    header: /^NAME +STATUS +RESOURCES +CREATED$/,
  },
];

describe('the built plugin on real clusters', () => {
  let clusters: Bed;
  let folder = '';
  /** An invitation that nobody can use: its endpoints are nowhere. */
  let code = '';
  before(async () => {
    clusters = await bed(['toolbox']);
    folder = await mkdtemp(join(tmpdir(), 'stork-words-'));
    await removeAll();
    await clusters.a.apply(application);
    await clusters.a.kubectl(['-n', namespace, 'rollout', 'status', 'deployment/app', '--timeout=180s']);
    for (const side of [clusters.a, clusters.b])
      await writeFile(fileOf(side), await side.kubectl(['config', 'view', '--minify', '--raw']), { mode: 0o600 });
  });
  after(async () => {
    await removeAll();
    await rm(folder, { recursive: true, force: true });
  });

  async function removeAll(): Promise<void> {
    await removeNamespaces(clusters, namespace);
    for (const side of [clusters.a, clusters.b])
      await side.kubectl(['-n', agentNamespace, 'delete', clusterPairs, unused.a, unused.b, '--ignore-not-found']);
  }

  const fileOf = (side: { readonly context: string }) => join(folder, `${side.context}.yaml`);
  const stork = (...args: readonly string[]) => clusters.a.stork([...args, '-n', namespace], { timeoutMs: 60_000 });
  const said = async (...args: readonly string[]) => expectSuccess(await stork(...args)).stdout.trim();
  /** Exit code 1, and the reason in one line. */
  async function assertRefused(args: readonly string[], message: RegExp): Promise<void> {
    const { exitCode, stdout, stderr } = await stork(...args);
    assert.equal(exitCode, 1, stdout);
    assert.equal(stderr.split('\n').filter((line) => message.test(line)).length, 1, stderr);
    assert.doesNotMatch(stderr, /^\s+at /m);
  }

  for (const { word, kind, fields, header } of kinds)
    it(`K1: get ${word}: none, one, many, by label, in all namespaces, as names, JSON and YAML`, async () => {
      const none = await stork('get', word);
      assert.equal(`${none.exitCode} ${none.stderr.trim()}`, `0 No resources found in ${namespace} namespace.`);
      for (const name of ['first', 'second']) {
        const metadata = { name, namespace, labels: { which: name } };
        await clusters.a.apply(JSON.stringify({ apiVersion: storkVersion, kind, metadata, ...fields }));
      }
      const rows = async (...args: readonly string[]) => {
        const [head = '', ...lines] = (await said('get', word, ...args)).split('\n');
        assert.match(head, header);
        return lines.map((line) => line.split(/ +/)[0]);
      };
      assert.deepEqual(await rows(), ['first', 'second']);
      assert.deepEqual(await rows('second'), ['second']);
      assert.deepEqual(await rows('-l', 'which=first'), ['first']);
      const everywhere = expectSuccess(await clusters.a.stork(['get', word, '-A'])).stdout;
      assert.match(everywhere, new RegExp(`^${namespace} +second `, 'm'));
      const named = `${word}.stork.libopenstorage.org`;
      assert.equal(await said('get', word, '-o', 'name'), `${named}/first\n${named}/second`);
      const list = JSON.parse(await said('get', word, '-o', 'json'));
      assert.equal(`${list.kind} ${list.items.length}`, 'List 2');
      assert.equal(JSON.parse(await said('get', word, 'first', '-o', 'json')).kind, kind);
      assert.match(await said('get', word, 'first', '-o', 'yaml'), new RegExp(`^kind: ${kind}$`, 'm'));
      await assertRefused(['get', word, 'third'], /NotFound.*"third" not found/);
    });

  const mistakes: readonly (readonly [what: string, args: readonly string[], message: RegExp])[] = [
    [
      'a migration without a name',
      ['create', 'migration', '--namespaces', namespace, '-c', 'b'],
      /exactly one name needs to be provided/,
    ],
    ['without a pair', ['create', 'migration', 'm', '--namespaces', namespace], /a cluster pair needs to be given/],
    ['without a namespace', ['create', 'migration', 'm', '-c', 'b'], /at least one namespace needs to be given/],
    [
      'with half a label',
      ['create', 'migration', 'm', '-c', 'b', '--namespaces', namespace, '--selectors', 'app'],
      /must be KEY=VALUE/,
    ],
    ['a rule without a command', ['create', 'rule', 'r'], /a NAME and --command are needed/],
  ];
  it('K2: names what is missing or wrong, and makes nothing', async () => {
    const before = await said('get', 'migration', '-o', 'name');
    for (const [what, args, message] of mistakes)
      await assertRefused(args, message).catch((error: Error) => assert.fail(`${what}: ${error.message}`));
    assert.equal(await said('get', 'migration', '-o', 'name'), before);
  });

  it('K3: what is there already is told in the words of the API server', async () => {
    const migration = ['create', 'migration', 'first', '-c', 'b', '--namespaces', namespace];
    await assertRefused(migration, /\(AlreadyExists\): migrations\.stork\.libopenstorage\.org "first" already exists/);
    const rule = ['create', 'rule', 'first', '--pod-selector', 'app=db', '--command', 'sync'];
    await assertRefused(rule, /\(AlreadyExists\): rules\.stork\.libopenstorage\.org "first" already exists/);
  });

  it('K9: create clusterpair refuses what is missing or mistyped, and makes nothing', async () => {
    const { a, b } = clusters;
    const files = ['--src-kube-file', fileOf(a), '--dest-kube-file', fileOf(b)];
    const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
      [['Remote_1', ...files], /the Name "Remote_1" is not valid/],
      [['remote', '--dest-kube-file', fileOf(b)], /missing parameter "src-kube-file"/],
      [['remote', '--src-kube-file', fileOf(a), '--dest-kube-file', fileOf(a)], /should be different/],
      [['remote', ...files, '--mode', 'always'], /must be async-dr, sync-dr, migration/],
      [['remote', ...files, '-p', 's3', '--bucket', 'x'], /--provider, --bucket: not possible/],
      [['remote', ...files, '--dest-ep', '192.0.2.1'], /an address needs its port/],
      [['remote', ...files, '--dest-ep', 'http://west:1'], /the scheme is https, not http/],
    ];
    for (const [args, message] of wrong) await assertRefused(['create', 'clusterpair', ...args], message);
    for (const side of [a, b]) {
      const pairs = await side.kubectl(['get', clusterPairs, '-A', '-o', 'name']);
      assert.doesNotMatch(pairs, /\/remote/);
    }
  });

  it('K9: an endpoint is a host, a host with its port, or a URL', async () => {
    const { b } = clusters;
    const given = [nowhere, 'nowhere.stork.test', 'https://nowhere.stork.test:443/'].flatMap((one) => [
      '--endpoint',
      one,
    ]);
    const invited = await b.stork(['pair', 'accept', unused.b, '-q', ...given], { timeoutMs: 60_000 });
    code = expectSuccess(invited).stdout.trim();
    const read = await fieldOf(b, agentNamespace, `${clusterPairs}/${unused.b}`, '.spec.accept.endpoints');
    assert.deepEqual(JSON.parse(read), [nowhere, 'nowhere.stork.test:30443', 'nowhere.stork.test:443']);
  });
  it('a code that was not used goes with its ClusterPair', async () => {
    const { a } = clusters;
    const metadata = { name: unused.a, namespace: agentNamespace };
    await a.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { code } }));
    const spec = { join: { codeSecret: unused.a }, grant: { namespaces: ['*'] } };
    await a.apply(JSON.stringify({ apiVersion: storkVersion, kind: 'ClusterPair', metadata, spec }));
    const secret = ['-n', agentNamespace, 'get', 'secret', unused.a, '--ignore-not-found', '-o'];
    await eventually('the agent binds it', async () => {
      const owner = await a.kubectl([...secret, 'jsonpath={.metadata.ownerReferences[0].name}']);
      return owner === unused.a ? owner : undefined;
    });
    await a.kubectl(['-n', agentNamespace, 'delete', clusterPairs, unused.a]);
    await eventually('it is gone', async () => ((await a.kubectl([...secret, 'name'])) === '' ? 'gone' : undefined));
  });

  it('K11: deactivate and activate say what they changed, in Stork’s words', async () => {
    const nothingCame = /nothing in namespace words came by a migration, and 2 workloads run on/;
    await assertRefused(['deactivate', 'migration'], nothingCame);
    const stopped = await said('deactivate', 'migration', '--include-originals');
    assert.match(stopped, /^Updated replicas for deployment words\/app to 0$/m);
    assert.match(stopped, /^Updated suspend option for cronjob words\/report to true$/m);
    const started = await said('activate', 'migration');
    assert.match(started, /^Updated replicas for deployment words\/app to 2$/m);
    assert.match(started, /^Updated suspend option for cronjob words\/report to false$/m);
    assert.doesNotMatch(await said('activate', 'migration'), /Updated/);
  });
});

const container =
  '{ name: a, image: "stork.test/toolbox:1", imagePullPolicy: IfNotPresent, command: [sleep, "100000"] }';
const application = `apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: app, namespace: ${namespace} }
spec:
  replicas: 2
  selector: { matchLabels: { app: app } }
  template:
    metadata: { labels: { app: app } }
    spec: { terminationGracePeriodSeconds: 0, containers: [${container}] }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: report, namespace: ${namespace} }
spec: { schedule: "0 4 1 1 *", jobTemplate: { spec: { template: { spec: { restartPolicy: Never, containers: [${container}] } } } } }
`;
