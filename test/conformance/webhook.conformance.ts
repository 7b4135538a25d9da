/**
 * Admission of operations on a real API server: the configurations are those of `kubectl stork install`, pointed at our
 * server on this machine. Who asked is what the API server knows, by every way that kubectl writes.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { planAccess, planReading } from '../../agent/migration/source/requester/plan-access.ts';
import { issueServingTls } from '../../agent/peer/serving-tls.ts';
import { createAccess } from '../../agent/requester/access.ts';
import { everything } from '../../agent/requester/access-question.ts';
import { startWebhookServer, type WebhookServer } from '../../agent/webhook/webhook-server.ts';
import { admissionName, requesterAnnotation } from '../../crds/agent-names.ts';
import { applyDefaults } from '../../crds/schema/index.ts';
import { migrations } from '../../crds/v1alpha1/index.ts';
import type { AnyObject, KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { isWebhookUnanswered } from '../../kube/errors.ts';
import { silentLog } from '../../kube/log.ts';
import { planCrds } from '../../plugin/install/plan-install.ts';
import { planWebhooks } from '../../plugin/install/plan-webhook.ts';
import { type RunningApiServer, startApiServer } from '../testbed/apiserver.ts';
import { type Answer, kubectlFor } from './kubectl.ts';

const readText = (path: string) => readFile(path, 'utf8');
const ann = ['--as=ann', '--as-group=shop-owners', '--as-group=system:masters'];
const bob = ['--as=bob', '--as-group=system:masters'];

describe('admission on a real API server', () => {
  let server: RunningApiServer | undefined;
  let webhook: WebhookServer | undefined;
  let kubectl: (argv: readonly string[], input?: unknown) => Promise<Answer> = () =>
    Promise.reject(new Error('not started'));

  before(async () => {
    server = await startApiServer();
    kubectl = await kubectlFor(server.kubeconfigPath);
    const now = systemClock().now();
    const tls = issueServingTls({ authorityName: 'stork-webhook-ca', dnsNames: ['localhost'], now, randomBytes });
    webhook = await startWebhookServer({ tls, port: 0, log: silentLog() });
    const base = `https://localhost:${webhook.port}`;
    await done(['create', '-f', '-'], listOf(planCrds()));
    await done(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
    await done(['create', 'namespace', 'shop']);
    await done(
      ['create', '-f', '-'],
      listOf(planWebhooks('stork-system').map((one) => reachedAt(one, base, tls.authority))),
    );
    await untilGuarded();
  });
  after(async () => {
    await webhook?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  async function done(argv: readonly string[], input?: unknown): Promise<string> {
    const answer = await kubectl(argv, input);
    assert.equal(answer.code, 0, answer.stderr);
    return answer.stdout;
  }
  async function refused(argv: readonly string[], message: RegExp, input?: unknown): Promise<void> {
    const answer = await kubectl(argv, input);
    assert.notEqual(answer.code, 0, answer.stdout);
    assert.match(answer.stderr, message);
  }
  const requesterOf = async (name: string) => {
    const { metadata } = JSON.parse(await done(['get', '-n', 'shop', 'migration', name, '-o', 'json']));
    return JSON.parse(metadata.annotations?.[requesterAnnotation] ?? 'null');
  };
  /** A new configuration takes a moment to reach the API server. */
  async function untilGuarded(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const tried = await done(['create', '--dry-run=server', '-o', 'json', '-f', '-'], aMigration('tried'));
      if (tried.includes(requesterAnnotation)) return;
    }
    assert.fail('the webhook was never called');
  }

  async function connected(): Promise<KubeClient> {
    const config = await loadKubeconfig({ env: {}, homeDirectory: '/', readText, path: server?.kubeconfigPath ?? '' });
    const ambient = { env: {}, clock: systemClock(), random: Math.random, readText };
    return createKubeClient({ config, ...ambient, terminal: 'Absent' });
  }

  it('marks what is created, also by impersonation and under a generated name', async () => {
    await done([...ann, 'create', '-f', '-'], aMigration('created'));
    const requester = await requesterOf('created');
    assert.equal(requester.username, 'ann');
    assert.deepEqual(requester.groups.toSorted(), ['shop-owners', 'system:authenticated', 'system:masters']);
    const { metadata: _named, ...rest } = aMigration('');
    const nameless = { ...rest, metadata: { generateName: 'made-', namespace: 'shop' } };
    const name = (await done([...bob, 'create', '-o', 'name', '-f', '-'], nameless)).trim().split('/')[1] ?? '';
    assert.equal((await requesterOf(name)).username, 'bob');
  });

  it('overwrites a forged mark', async () => {
    await done([...ann, 'create', '-f', '-'], aMigration('forged', { stamp: '{"username":"admin"}' }));
    assert.equal((await requesterOf('forged')).username, 'ann');
  });

  it('keeps the mark through apply, server-side apply, replace, label and annotate', async () => {
    await done([...ann, 'apply', '-f', '-'], aMigration('kept'));
    await done([...bob, 'apply', '-f', '-'], aMigration('kept', { labels: { a: '1' } }));
    await done(
      [...bob, 'apply', '--server-side', '--force-conflicts', '-f', '-'],
      aMigration('kept', { labels: { a: '2' } }),
    );
    await done([...bob, 'replace', '-f', '-'], aMigration('kept', { labels: { a: '3' } }));
    await done([...bob, 'label', '-n', 'shop', 'migration', 'kept', 'b=1']);
    await done([...bob, 'annotate', '-n', 'shop', 'migration', 'kept', 'note=mine']);
    await done([...bob, 'annotate', '-n', 'shop', 'migration', 'kept', `${requesterAnnotation}-`]);
    assert.equal((await requesterOf('kept')).username, 'ann');
    const stored = JSON.parse(await done(['get', '-n', 'shop', 'migration', 'kept', '-o', 'json']));
    assert.deepEqual(stored.metadata.labels, { a: '3', b: '1' });
  });

  it('marks a server-side apply that creates, and repeats it', async () => {
    for (const user of [ann, bob]) await done([...user, 'apply', '--server-side', '-f', '-'], aMigration('applied'));
    assert.equal((await requesterOf('applied')).username, 'ann');
  });

  it('refuses to change the mark, by any way', async () => {
    await done([...ann, 'create', '-f', '-'], aMigration('edited'));
    const forged = '{"username":"admin"}';
    const message = /says who asked for the operation and can't be changed/;
    await refused(
      [...ann, 'annotate', '--overwrite', '-n', 'shop', 'migration', 'edited', `${requesterAnnotation}=${forged}`],
      message,
    );
    await refused([...ann, 'replace', '-f', '-'], message, aMigration('edited', { stamp: forged }));
    await refused(
      [...ann, 'apply', '--server-side', '--force-conflicts', '-f', '-'],
      message,
      aMigration('edited', { stamp: forged }),
    );
    assert.equal((await requesterOf('edited')).username, 'ann');
  });

  it('marks whoever changes the spec', async () => {
    await done([...ann, 'create', '-f', '-'], aMigration('taken-over'));
    const spec = { clusterPair: 'other' };
    await done([
      ...bob,
      'patch',
      '-n',
      'shop',
      'migration',
      'taken-over',
      '--type=merge',
      '-p',
      JSON.stringify({ spec }),
    ]);
    assert.equal((await requesterOf('taken-over')).username, 'bob');
  });

  it('can not be passed by the status subresource', async () => {
    await done([...ann, 'create', '-f', '-'], aMigration('by-status'));
    const change = {
      metadata: { annotations: { [requesterAnnotation]: '{"username":"admin"}' } },
      status: { reason: 'x' },
    };
    const patch = ['patch', '-n', 'shop', 'migration', 'by-status', '--subresource=status', '--type=merge'];
    await done([...bob, ...patch, '-p', JSON.stringify(change)]);
    assert.equal((await requesterOf('by-status')).username, 'ann');
  });

  it('marks Actions too', async () => {
    const activateParameter = { namespaces: ['shop'] };
    const spec = { actionType: 'activate', actionParameter: { activateParameter } };
    const action = {
      apiVersion: 'stork.libopenstorage.org/v1alpha1',
      kind: 'Action',
      metadata: { name: 'a', namespace: 'shop' },
      spec,
    };
    const made = JSON.parse(await done([...ann, 'create', '-o', 'json', '-f', '-'], action));
    assert.equal(JSON.parse(made.metadata.annotations[requesterAnnotation]).username, 'ann');
  });

  it('is believed, and the rights of who asked are what RBAC says', async () => {
    const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reads' };
    const rules = [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] },
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods/exec'], verbs: ['create'] },
      { apiGroups: ['stork.libopenstorage.org'], resources: ['clusterpairs'], verbs: ['use'], resourceNames: ['west'] },
      { apiGroups: ['stork.libopenstorage.org'], resources: ['migrations'], verbs: ['create'] },
    ];
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    const subjects = [{ kind: 'Group', name: 'shop-readers', apiGroup: 'rbac.authorization.k8s.io' }];
    await done(['create', '-f', '-'], {
      apiVersion,
      kind: 'Role',
      metadata: { name: 'reads', namespace: 'shop' },
      rules,
    });
    const metadata = { name: 'reads', namespace: 'shop' };
    await done(['create', '-f', '-'], { apiVersion, kind: 'RoleBinding', metadata, subjects, roleRef: role });
    await done(['--as=cat', '--as-group=shop-readers', 'create', '-f', '-'], aMigration('reading'));
    const client = await connected();
    try {
      const access = createAccess(client);
      const requester = await access.requesterOf(await client.get(migrations, { namespace: 'shop', name: 'reading' }));
      assert.equal(requester.username, 'cat');
      const travelling = [{ resource: core.configMaps, namespace: 'shop', name: 'any' }];
      const own = [{ resource: core.namespaces, namespace: undefined, name: 'shop' }];
      const wanted = { pairs: ['shop/west'], namespaces: ['shop'], volumes: 'Stay', rules: 'Run' } as const;
      await access.require(requester, [...planAccess(wanted), ...planReading([...travelling, ...own])]);
      const secrets = planReading([{ resource: core.secrets, namespace: 'shop', name: 'key' }]);
      await assert.rejects(access.require(requester, secrets), {
        code: 'RequesterMayNot',
        message:
          'User cat, who asked for this, may not get secrets in namespace shop, nor list secrets in namespace shop',
      });
      const more = planAccess({ pairs: ['shop/east'], namespaces: ['default'], volumes: 'Travel', rules: 'None' });
      await assert.rejects(
        access.require(requester, more),
        /use clusterpairs.stork.libopenstorage.org east in namespace shop/,
      );
      assert.equal(await access.may(requester, everything('shop')), false);
      assert.equal(await access.may({ username: 'ann', groups: ['system:masters'] }, everything()), true);
    } finally {
      client.close();
    }
  });

  it('without an agent only new operations wait: what there is can be labelled, released and deleted', async () => {
    await done([...ann, 'create', '-f', '-'], {
      ...aMigration('left'),
      metadata: { name: 'left', namespace: 'shop', finalizers: ['stork.libopenstorage.org/x'] },
    });
    await webhook?.[Symbol.asyncDispose]();
    await refused(['create', '-f', '-'], /failed calling webhook/, aMigration('late'));
    const client = await connected();
    const late = applyDefaults(migrations.schema, aMigration('late'));
    await assert.rejects(client.create(migrations, late), (error) => isWebhookUnanswered(error, admissionName));
    client.close();
    await done(['label', '-n', 'shop', 'migration', 'left', 'c=1']);
    await done(['delete', '-n', 'shop', 'migration', 'left', '--wait=false']);
    await done(['patch', '-n', 'shop', 'migration', 'left', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    await refused(['get', '-n', 'shop', 'migration', 'left'], /not found/);
    const pair = {
      apiVersion: 'stork.libopenstorage.org/v1alpha1',
      kind: 'ClusterPair',
      metadata: { name: 'p', namespace: 'shop' },
      spec: {},
    };
    await done(['create', '-f', '-'], pair);
  });
});

const listOf = (items: readonly unknown[]) => ({ apiVersion: 'v1', kind: 'List', items });

/** The same configuration, its Service replaced by our address on this machine. */
function reachedAt(configuration: AnyObject, base: string, authority: string) {
  const caBundle = Buffer.from(authority).toString('base64');
  const webhooks = Object(configuration.webhooks).map((one: { clientConfig: { service: { path: string } } }) => ({
    ...one,
    clientConfig: { url: `${base}${one.clientConfig.service.path}`, caBundle },
  }));
  return { ...configuration, webhooks };
}

function aMigration(
  name: string,
  changes: { readonly stamp?: string; readonly labels?: Readonly<Record<string, string>> } = {},
) {
  const { stamp, labels = {} } = changes;
  const annotations = stamp === undefined ? {} : { annotations: { [requesterAnnotation]: stamp } };
  return {
    apiVersion: 'stork.libopenstorage.org/v1alpha1',
    kind: 'Migration',
    metadata: { name, namespace: 'shop', labels, ...annotations },
    spec: { clusterPair: 'west', namespaces: ['shop'] },
  };
}
