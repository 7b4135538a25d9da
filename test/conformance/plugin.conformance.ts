/** kubectl stork against a real API server: what it installs is valid, what it prints is what kubectl reads, nothing is left. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type RunningApiServer, startApiServer } from '../testbed/apiserver.ts';
import { type Answer, kubectlFor } from './kubectl.ts';

const plugin = join(import.meta.dirname, '../../plugin/main.ts');

describe('kubectl stork on a real API server', () => {
  let server: RunningApiServer | undefined;
  let kubectl: (argv: readonly string[], input?: unknown) => Promise<Answer> = () =>
    Promise.reject(new Error('not started'));
  const stork = (line: string): Promise<Answer> =>
    new Promise((resolve) => {
      const env = { ...process.env, KUBECONFIG: server?.kubeconfigPath };
      execFile(process.execPath, [plugin, ...line.split(' ')], { env }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });

  before(async () => {
    server = await startApiServer();
    kubectl = await kubectlFor(server.kubeconfigPath);
  });
  after(async () => {
    await server?.stop();
  });

  it('installs, and again without a change', async () => {
    assert.equal((await stork('install --dry-run=server')).code, 0);
    assert.equal((await stork('install --wait=false')).code, 0);
    const again = await stork('install --wait=false');
    assert.equal(again.code, 0, again.stderr);
    assert.doesNotMatch(again.stdout, /created|configured/);
  });

  it('prints an installation that kubectl accepts', async () => {
    const printed = await stork('install --dry-run=client -o json');
    const applied = await kubectl(
      ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-f', '-'],
      JSON.parse(printed.stdout),
    );
    assert.equal(applied.code, 0, applied.stderr);
  });

  it('gives the agent what its features need and no more', async () => {
    const agent = '--as=system:serviceaccount:stork-system:stork-agent';
    const can = async (...words: readonly string[]) =>
      (await kubectl(['auth', 'can-i', ...words, agent])).stdout.trim();
    assert.equal(await can('list', 'secrets', '-A'), 'yes');
    assert.equal(await can('create', 'secrets', '-n', 'stork-system'), 'yes');
    assert.equal(await can('create', 'secrets', '-n', 'default'), 'no');
    assert.equal(await can('create', 'deployments', '-n', 'default'), 'no');
    assert.equal(await can('impersonate', 'serviceaccounts/stork-peer', '-n', 'stork-system'), 'yes');
    assert.equal(await can('impersonate', 'serviceaccounts/default', '-n', 'stork-system'), 'no');
    assert.equal(await can('create', 'pods', '--subresource=exec', '-n', 'default'), 'yes');
    assert.equal(await can('*', '*', '-A'), 'no');
  });

  it('takes no operation while no agent can say who asks', async () => {
    const migration = {
      apiVersion: 'stork.libopenstorage.org/v1alpha1',
      kind: 'Migration',
      metadata: { name: '5' },
      spec: { clusterPair: 'west', namespaces: ['default'] },
    };
    const refused = await kubectl(['create', '-f', '-'], migration);
    assert.match(refused.stderr, /failed calling webhook/);
    // No agent will ever run on this server, but the plugin waits for one.
    const waiting = stork('create migration 5 --namespaces default -c west');
    await pause(5000);
    const webhooks = 'mutatingwebhookconfigurations,validatingwebhookconfigurations';
    assert.equal((await kubectl(['delete', webhooks, 'stork-webhook'])).code, 0);
    const { code, stderr } = await waiting;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^No agent answers just now/);
    assert.equal((await stork('delete migration 5')).code, 0);
  });

  it('creates, shows and deletes what kubectl sees', async () => {
    assert.equal((await stork('create migration 123 --namespaces default -c west')).code, 0);
    const both = [await stork('get migration 123 -o json'), await kubectl(['get', 'migration', '123', '-o', 'json'])];
    const [ours, theirs] = both.map(({ stdout }) => JSON.parse(stdout));
    assert.deepEqual(ours, theirs);
    assert.match(
      (await stork('get migration')).stdout,
      /^NAME {3}CLUSTERPAIR {3}STAGE {3}STATUS {3}VOLUMES {3}RESOURCES {3}CREATED +ELAPSED\n123 /,
    );
    const missing = [await stork('get migration nope'), await kubectl(['get', 'migration', 'nope'])];
    assert.deepEqual(missing[0], missing[1]);
    const empty = [
      await stork('get migration -n kube-public'),
      await kubectl(['get', 'migration', '-n', 'kube-public']),
    ];
    assert.deepEqual(empty[0], empty[1]);
    assert.equal((await stork('delete migration 123')).code, 0);
  });

  it('uninstalls to the last object', async () => {
    const refused = await stork('pair accept west -n default --endpoint 198.51.100.7:30443 --timeout 1s');
    assert.match(refused.stderr, /no agent has picked the ClusterPair up/);
    assert.equal((await stork('uninstall --crds')).code, 0);
    const kinds = 'crd,clusterroles,clusterrolebindings,roles,rolebindings,deployments,services,serviceaccounts';
    const left = await kubectl(['get', kinds, '-A', '-l', 'app.kubernetes.io/managed-by=stork-agent', '-o', 'name']);
    assert.equal(left.stdout, '');
  });
});
