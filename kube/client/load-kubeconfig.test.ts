/** Kubeconfigs as kubectl reads them, the pod's own configuration, and proxies from the environment. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StorkError } from '../errors.ts';
import { inClusterConfig } from './in-cluster-config.ts';
import { type KubeconfigRequest, listContexts, loadKubeconfig } from './load-kubeconfig.ts';
import { proxyFor } from './proxy.ts';

const isCode = (code: string) => (error: unknown) => error instanceof StorkError && error.code === code;

function reading(files: Readonly<Record<string, string>>, request: Partial<KubeconfigRequest> = {}): KubeconfigRequest {
  return {
    env: {},
    homeDirectory: '/home/jane',
    readText: async (path) =>
      files[path] ?? Promise.reject(Object.assign(new Error('no such file'), { code: 'ENOENT' })),
    ...request,
  };
}

const yaml = `
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: east
  cluster: { server: "https://east:6443/", certificate-authority: pki/ca.crt }
- name: west
  cluster: { server: "https://west:6443", certificate-authority-data: Y2E=, tls-server-name: api, proxy-url: "http://proxy:3128" }
contexts:
- name: prod
  context: { cluster: east, user: jane, namespace: shop }
- name: dev
  context: { cluster: west, user: robot }
users:
- name: jane
  user: { client-certificate: /abs/jane.crt, client-key: jane.key, as: boss, as-groups: [ops], as-uid: "1" }
- name: robot
  user: { token: t0ken }
- name: basic
  user: { username: u, password: p }
`;
const home = { '/home/jane/.kube/config': yaml };

describe('loadKubeconfig', () => {
  it('takes the current context of ~/.kube/config, paths relative to the file', async () => {
    const config = await loadKubeconfig(reading(home));
    assert.deepEqual([config.name, config.server, config.namespace], ['prod', 'https://east:6443', 'shop']);
    assert.deepEqual(config.trust.ca, { from: 'File', path: '/home/jane/.kube/pki/ca.crt' });
    assert.deepEqual(config.credentials.certificate, {
      cert: { from: 'File', path: '/abs/jane.crt' },
      key: { from: 'File', path: '/home/jane/.kube/jane.key' },
    });
    assert.deepEqual(config.impersonate, { user: 'boss', groups: ['ops'], uid: '1' });
  });

  it('takes the context, cluster and user that it is told', async () => {
    const dev = await loadKubeconfig(reading(home, { context: 'dev' }));
    assert.deepEqual(dev.trust, { ca: { from: 'Inline', pem: 'ca' }, verify: 'VerifyServer', serverName: 'api' });
    assert.deepEqual([dev.credentials.token, dev.proxyUrl], [{ from: 'Inline', token: 't0ken' }, 'http://proxy:3128']);
    const mixed = await loadKubeconfig(reading(home, { context: 'prod', cluster: 'west', user: 'basic' }));
    assert.deepEqual([mixed.server, mixed.credentials.basic], ['https://west:6443', { username: 'u', password: 'p' }]);
  });

  it('merges the files of KUBECONFIG, the first to name something wins, missing ones skipped', async () => {
    const first = JSON.stringify({
      users: [{ name: 'robot', user: { tokenFile: 'token' } }],
      'current-context': 'dev',
    });
    const files = { '/a/config': first, '/b/config': yaml };
    const config = await loadKubeconfig(reading(files, { env: { KUBECONFIG: '/absent:/a/config:/b/config' } }));
    assert.deepEqual([config.name, config.credentials.token], ['dev', { from: 'File', path: '/a/token' }]);
  });

  it('names what is missing, and what there is', async () => {
    await assert.rejects(loadKubeconfig(reading({})), isCode('KubeconfigMissing'));
    await assert.rejects(loadKubeconfig(reading(home, { path: '/other' })), isCode('KubeconfigMissing'));
    await assert.rejects(loadKubeconfig(reading(home, { context: 'nope' })), (error) => {
      assert.ok(error instanceof StorkError);
      assert.deepEqual([error.code, error.hint], ['ContextNotFound', 'It has: prod, dev.']);
      return true;
    });
    await assert.rejects(loadKubeconfig(reading(home, { user: 'nope' })), isCode('ContextNotFound'));
  });

  it('refuses what is not a kubeconfig, and removed auth-providers by name', async () => {
    await assert.rejects(loadKubeconfig(reading({ '/k': 'clusters: 7' }, { path: '/k' })), isCode('KubeconfigInvalid'));
    await assert.rejects(loadKubeconfig(reading({ '/k': '{"a' }, { path: '/k' })), isCode('KubeconfigInvalid'));
    const old = yaml.replace('token: t0ken', 'auth-provider: { name: gcp }');
    await assert.rejects(loadKubeconfig(reading({ '/k': old }, { path: '/k', context: 'dev' })), /gcp/);
  });

  it('reads exec plugins with what they are told of the cluster', async () => {
    const exec =
      '{ exec: { apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [a], env: [{name: A, value: b}], interactiveMode: Never, provideClusterInfo: true } }';
    const config = await loadKubeconfig(
      reading({ '/k/c': yaml.replace('{ token: t0ken }', exec) }, { path: '/k/c', context: 'dev' }),
    );
    const plugin = config.credentials.exec;
    assert.deepEqual(
      [plugin?.command, plugin?.args, plugin?.env, plugin?.interactiveMode],
      ['/k/login', ['a'], { A: 'b' }, 'Never'],
    );
    assert.equal(plugin?.cluster?.server, 'https://west:6443');
  });

  it('lists contexts for completion', async () => {
    assert.deepEqual(await listContexts(reading(home)), { contexts: ['prod', 'dev'], current: 'prod' });
  });
});

describe('inClusterConfig', () => {
  const mounts = '/var/run/secrets/kubernetes.io/serviceaccount';

  it('points at the mounted files, which are rotated', async () => {
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    const config = await inClusterConfig({
      env,
      readText: reading({ [`${mounts}/namespace`]: 'stork-system\n' }).readText,
    });
    assert.deepEqual([config.server, config.namespace], ['https://[fd00::1]:443', 'stork-system']);
    assert.deepEqual(config.credentials.token, { from: 'File', path: `${mounts}/token` });
    assert.deepEqual(config.trust.ca, { from: 'File', path: `${mounts}/ca.crt` });
  });

  it('says when it is not in a pod', async () => {
    await assert.rejects(inClusterConfig({ env: {}, readText: reading({}).readText }), isCode('NotInCluster'));
    const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
    await assert.rejects(inClusterConfig({ env, readText: reading({}).readText }), isCode('NotInCluster'));
  });
});

describe('proxyFor', () => {
  const env = { HTTPS_PROXY: 'proxy:3128', NO_PROXY: '.internal, 10.0.0.0/8,exact.test' };
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['https://api.example.test', 'http://proxy:3128'],
    ['https://api.internal:6443', undefined],
    ['https://10.1.2.3:6443', undefined],
    ['https://11.1.2.3:6443', 'http://proxy:3128'],
    ['https://exact.test', undefined],
    ['https://sub.exact.test', undefined],
    ['https://inexact.test', 'http://proxy:3128'],
    ['https://127.0.0.1:6443', undefined],
  ];
  for (const [server, expected] of cases) {
    it(`${expected === undefined ? 'reaches directly' : 'goes through the proxy to'} ${server}`, () => {
      assert.equal(proxyFor(server, env), expected);
    });
  }
});
