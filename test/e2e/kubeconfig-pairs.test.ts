/**
 * Stork's two ways to pair, as its users type them: `generate clusterpair` applied on the source, and `create clusterpair`
 * with two kubeconfigs. Clusters of the bed don't reach each other's API servers by themselves: here they may.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Cluster, run } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { allowApiServers, restoreLink } from '../testbed/link.ts';
import { agentNamespace, type Bed, bed, eventually, migration, removeNamespaces } from './bed.ts';

const namespace = 'kubeconfig-pairs';
const kind = 'clusterpairs.stork.libopenstorage.org';

interface PairView {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly config?: object };
  readonly status?: {
    readonly schedulerStatus?: string;
    readonly storageStatus?: string;
    readonly conditions?: readonly { readonly type: string; readonly reason: string; readonly message: string }[];
  };
}

describe('pairs by kubeconfig', () => {
  let clusters: Bed;
  let folder = '';
  before(async () => {
    clusters = await bed();
    folder = await mkdtemp(join(tmpdir(), 'stork-kubeconfigs-'));
    await restoreLink();
    await removePairs();
    await allowApiServers();
    await clusters.a.kubectl(['create', 'namespace', namespace]);
    for (const side of [clusters.a, clusters.b]) {
      const minified = ['config', 'view', '--minify', '--raw'];
      await writeFile(join(folder, `${side.context}.yaml`), await side.kubectl(minified), { mode: 0o600 });
    }
  });
  after(async () => {
    await removePairs();
    await restoreLink();
    await rm(folder, { recursive: true, force: true });
  });

  async function removePairs(): Promise<void> {
    const all = ['-n', namespace, 'delete', kind, '--all', '--ignore-not-found'];
    await Promise.all([clusters.a, clusters.b].map((side) => side.kubectl(all).catch(() => '')));
    for (const side of [clusters.a, clusters.b]) for (const name of await endsOn(side)) await removePair(side, name);
    await removeNamespaces(clusters, namespace);
  }

  const removePair = (side: Cluster, name: string) => side.kubectl(['-n', agentNamespace, 'delete', kind, name]);
  /** Ends that were made in the agent's namespace for pairs of the other cluster. */
  const endsOn = async (side: Cluster) => {
    const { items } = await side.get<{ items: PairView[] }>([kind, '-n', agentNamespace]);
    return items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith('remote-'));
  };
  const pairOn = (side: Cluster) => side.get<PairView>([kind, 'remote', '-n', namespace]);
  const untilPair = (side: Cluster, what: string, holds: (pair: PairView) => boolean) =>
    eventually(what, async () => {
      const pair = await pairOn(side);
      return holds(pair) ? pair : undefined;
    });
  const isReady = ({ status }: PairView) => status?.schedulerStatus === 'Ready' && status.storageStatus === 'Ready';
  const conditionOf = (pair: PairView, type: string) => pair.status?.conditions?.find((one) => one.type === type);
  const migrate = (side: Cluster, name: string) =>
    side.stork(['create', 'migration', name, '-n', namespace, '--namespaces', namespace, '-c', 'remote', '--wait']);
  const generate = async (...args: readonly string[]) =>
    expectSuccess(await clusters.b.stork(['generate', 'clusterpair', 'remote', '-n', namespace, ...args])).stdout;

  it('M13: a wrong token is an Error with an event, the migration waits, and both go on once it is right', async () => {
    const right = await generate();
    const wrong = right.replace(/users:[\s\S]*contexts:/, 'users: { b-user: { token: no-such-token } }\n    contexts:');
    await clusters.a.apply(wrong);
    const told = await untilPair(clusters.a, 'status Error', ({ status }) => status?.schedulerStatus === 'Error');
    assert.equal(conditionOf(told, 'Joined')?.reason, 'KubeconfigUnauthorized');
    await eventually('an event', async () => {
      const events = await clusters.a.kubectl(['-n', namespace, 'get', 'events', '--field-selector', 'type=Warning']);
      return events.includes('KubeconfigUnauthorized') ? events : undefined;
    });
    await clusters.a.kubectl(['-n', namespace, 'create', 'configmap', 'first', '--from-literal=from=a']);
    const waiting = migrate(clusters.a, 'waits');
    await eventually('it waits', async () => {
      const { status } = await migration(clusters.a, namespace, 'waits').catch(() => ({ status: undefined }));
      return JSON.stringify(status ?? {}).includes('ClusterPairNotReady') ? 'waits' : undefined;
    });
    await clusters.a.apply(right);
    await untilPair(clusters.a, 'Ready', isReady);
    expectSuccess(await waiting);
    const copied = await clusters.b.kubectl([
      '-n',
      namespace,
      'get',
      'configmap',
      'first',
      '-o',
      'jsonpath={.data.from}',
    ]);
    assert.equal(copied, 'a');
  });

  it('M13: a wrong address and a wrong CA are Errors with their reasons', async () => {
    const { a } = clusters;
    const right = await generate();
    const certificate = /certificate-authority-data: (\S+)/;
    const ofA = certificate.exec(await readFile(join(folder, 'a.yaml'), 'utf8'))?.[0] ?? '';
    assert.ok(ofA.length > 100);
    const wrong: readonly (readonly [change: (config: string) => string, reason: RegExp])[] = [
      [(config) => config.replace(/(server: .*)\.\d+:/, '$1.99:'), /^KubeconfigUnreachable$/],
      [(config) => config.replace(certificate, ofA), /^KubeconfigUntrusted$/],
    ];
    for (const [at, [change, reason]] of wrong.entries()) {
      const name = `wrong-${at}`;
      await a.apply(change(right).replace('name: remote', `name: ${name}`));
      const told = await eventually('status Error', async () => {
        const pair = await a.get<PairView>([kind, name, '-n', namespace]);
        return pair.status?.schedulerStatus === 'Error' ? pair : undefined;
      });
      const { reason: found = '', message = '' } = conditionOf(told, 'Joined') ?? {};
      console.log(`${found}: ${message}`);
      assert.doesNotMatch(message, /Node\.js/);
      assert.match(found, reason);
      await a.kubectl(['-n', namespace, 'delete', kind, name]);
    }
  });

  it('describe and logs tell of the migration that waited', async () => {
    const told = expectSuccess(await clusters.a.stork(['describe', 'migration/waits', '-n', namespace])).stdout;
    assert.match(told, /^State: +Final, Successful/m);
    assert.match(told, /^Events:\n/m);
    const logged = expectSuccess(await clusters.a.stork(['logs', 'migration/waits', '-n', namespace])).stdout;
    console.log(logged.trim());
    assert.match(logged, /info stork-agent-\S+ advance .*next=Applications/);
  });

  it('M19: one way: one pair here, one end there in the agent’s namespace; nothing shows the credentials', async () => {
    const pair = await pairOn(clusters.a);
    assert.equal(conditionOf(pair, 'InlineCredentials')?.reason, 'InlineCredentials');
    assert.equal((await endsOn(clusters.b)).length, 1);
    const { items } = await clusters.b.get<{ items: PairView[] }>([kind, '-n', namespace]);
    assert.deepEqual(items, []);
    const shown = expectSuccess(
      await clusters.a.stork(['get', 'clusterpair', 'remote', '-n', namespace, '-o', 'yaml']),
    );
    const key = JSON.stringify(pair.spec.config).match(/"client-key-data":"([^"]+)"/)?.[1] ?? '';
    assert.ok(key.length > 100);
    assert.ok(!shown.stdout.includes(key));
    assert.match(shown.stdout, /client-key-data: \(masked\)/);
  });

  it('stays Ready without spec.config', async () => {
    const patch = '[{"op":"remove","path":"/spec/config"}]';
    await clusters.a.kubectl(['-n', namespace, 'patch', kind, 'remote', '--type', 'json', '-p', patch]);
    await untilPair(clusters.a, 'no warning', (pair) => conditionOf(pair, 'InlineCredentials') === undefined);
    assert.ok(isReady(await pairOn(clusters.a)));
  });

  it('the end there goes with the pair here', async () => {
    await clusters.a.kubectl(['-n', namespace, 'delete', kind, 'remote']);
    await eventually('gone', async () => ((await endsOn(clusters.b)).length === 0 ? 'gone' : undefined));
  });

  it('an API server that looks internal is refused by name', async () => {
    await clusters.a.apply((await generate()).replace(/server: .*/, 'server: https://kubernetes.default.svc'));
    const told = await untilPair(clusters.a, 'status Error', ({ status }) => status?.schedulerStatus === 'Error');
    assert.match(conditionOf(told, 'Joined')?.message ?? '', /is a name inside this cluster/);
    const address = await clusters.a.kubectl(['get', 'service', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}']);
    await clusters.a.apply((await generate()).replace(/server: .*/, `server: https://${address}`));
    await untilPair(clusters.a, 'the Service is named', (pair) =>
      (conditionOf(pair, 'Joined')?.message ?? '').includes('(Service default/kubernetes)'),
    );
    await clusters.a.kubectl(['-n', namespace, 'delete', kind, 'remote']);
  });

  it('M19: create clusterpair makes a Ready pair on both sides, usable both ways, and leaves no credential', async () => {
    const files = ['--src-kube-file', join(folder, 'a.yaml'), '--dest-kube-file', join(folder, 'b.yaml')];
    const line = ['stork', 'create', 'clusterpair', 'remote', '-n', namespace, ...files];
    const made = expectSuccess(await run('kubectl', line, { timeoutMs: 120_000 }));
    console.log(made.stdout.trim());
    for (const side of [clusters.a, clusters.b]) {
      const pair = await untilPair(side, `Ready on ${side.context}`, isReady);
      assert.equal(pair.spec.config, undefined);
    }
    await clusters.b.kubectl(['-n', namespace, 'create', 'configmap', 'second', '--from-literal=from=b']);
    expectSuccess(await migrate(clusters.b, 'back'));
    const there = await clusters.a.kubectl([
      '-n',
      namespace,
      'get',
      'configmap',
      'second',
      '-o',
      'jsonpath={.data.from}',
    ]);
    assert.equal(there, 'b');
    await clusters.a.kubectl(['-n', namespace, 'create', 'configmap', 'third', '--from-literal=from=a']);
    expectSuccess(await migrate(clusters.a, 'forth'));
    const back = await clusters.b.kubectl([
      '-n',
      namespace,
      'get',
      'configmap',
      'third',
      '-o',
      'jsonpath={.data.from}',
    ]);
    assert.equal(back, 'a');
  });
});
