import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { silentLog } from '../../kube/log.ts';
import { issueServingTls } from '../peer/serving-tls.ts';
import { startWebhookServer, type WebhookServer, webhookLimits } from './webhook-server.ts';

const now = new Date('2026-11-21T00:00:00Z');
const tls = (at: Date) =>
  issueServingTls({ authorityName: 'ca', dnsNames: ['stork-webhook.stork-system.svc'], now: at, randomBytes });

/** As kube-apiserver 1.36 sends it for a ServiceAccount that creates a Migration. */
const review = {
  kind: 'AdmissionReview',
  apiVersion: 'admission.k8s.io/v1',
  request: {
    uid: '6a6e4f4c-0a5f-4e0e-9a7b-0c3b5b8f8f11',
    kind: { group: 'stork.libopenstorage.org', version: 'v1alpha1', kind: 'Migration' },
    resource: { group: 'stork.libopenstorage.org', version: 'v1alpha1', resource: 'migrations' },
    requestKind: { group: 'stork.libopenstorage.org', version: 'v1alpha1', kind: 'Migration' },
    requestResource: { group: 'stork.libopenstorage.org', version: 'v1alpha1', resource: 'migrations' },
    name: 'm1',
    namespace: 'shop',
    operation: 'CREATE',
    userInfo: {
      username: 'system:serviceaccount:shop:owner',
      uid: '0b7c',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': ['JTI=1'] },
    },
    object: {
      apiVersion: 'stork.libopenstorage.org/v1alpha1',
      kind: 'Migration',
      metadata: { name: 'm1', namespace: 'shop' },
      spec: { clusterPair: 'west', namespaces: ['shop'] },
    },
    oldObject: null,
    dryRun: false,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
  },
};

describe('the webhook', () => {
  let server: WebhookServer;
  const trusted = tls(now);
  before(async () => {
    server = await startWebhookServer({ tls: trusted, port: 0, host: '127.0.0.1', log: silentLog() });
  });
  after(() => server[Symbol.asyncDispose]());

  async function call(path: string, body: string | Buffer, changes: { readonly method?: string; ca?: string } = {}) {
    const { method = 'POST', ca = trusted.authority } = changes;
    const servername = 'stork-webhook.stork-system.svc';
    const asked = request({ host: '127.0.0.1', port: server.port, path, method, ca, servername, agent: false });
    asked.on('error', () => {});
    asked.end(body);
    const [response] = await once(asked, 'response');
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece);
    return { status: response.statusCode, body: JSON.parse(Buffer.concat(pieces).toString()) };
  }

  it('answers a review of kube-apiserver with its uid and a JSON patch', async () => {
    const { status, body } = await call('/mutate?timeout=5s', JSON.stringify(review));
    assert.equal(status, 200);
    assert.equal(body.kind, 'AdmissionReview');
    const { uid, allowed, patchType, patch } = body.response;
    assert.deepEqual([uid, allowed, patchType], [review.request.uid, true, 'JSONPatch']);
    const [room, stamp] = JSON.parse(Buffer.from(patch, 'base64').toString());
    assert.deepEqual(room, { op: 'add', path: '/metadata/annotations', value: {} });
    assert.deepEqual(JSON.parse(stamp.value), review.request.userInfo);
  });

  it('tells people why, with the uid, when it refuses', async () => {
    const { status, body } = await call('/validate', JSON.stringify(review));
    assert.equal(status, 200);
    assert.deepEqual([body.response.uid, body.response.allowed], [review.request.uid, false]);
    assert.match(body.response.status.message, /says who asked for the operation and can't be changed/);
  });

  const { userInfo: _userInfo, ...anonymous } = review.request;
  const wrong: readonly (readonly [name: string, path: string, body: string, method: string, status: number])[] = [
    ['what is not JSON', '/mutate', '{"kind":', 'POST', 400],
    ['nothing', '/mutate', '', 'POST', 400],
    ['a review without a user', '/mutate', JSON.stringify({ ...review, request: anonymous }), 'POST', 400],
    [
      'a review of another version',
      '/mutate',
      JSON.stringify({ ...review, apiVersion: 'admission.k8s.io/v2' }),
      'POST',
      400,
    ],
    [
      'a user of the wrong shape',
      '/mutate',
      JSON.stringify({ ...review, request: { ...review.request, userInfo: { username: {} } } }),
      'POST',
      400,
    ],
    ['another path', '/metrics', '{}', 'POST', 404],
    ['a name of every object', '/constructor', '{}', 'POST', 404],
    ['another method', '/mutate', '', 'GET', 404],
    ['a review that is too large', '/mutate', ' '.repeat(webhookLimits.reviewBytes + 1), 'POST', 413],
  ];
  for (const [name, path, body, method, status] of wrong)
    it(`refuses ${name}`, async () => assert.equal((await call(path, body, { method })).status, status));

  it('uses renewed certificates for new connections', async () => {
    const renewed = tls(new Date('2026-11-22T00:00:00Z'));
    server.renew(renewed);
    assert.equal((await call('/mutate', JSON.stringify(review), { ca: renewed.authority })).status, 200);
    await assert.rejects(call('/mutate', JSON.stringify(review)));
    server.renew(trusted);
  });

  it('answers to the end once it leaves, each connection for the last time', async () => {
    const leaving = await startWebhookServer({ tls: trusted, port: 0, host: '127.0.0.1', log: silentLog() });
    const pool = new Agent({ keepAlive: true, maxSockets: 1 });
    after(() => pool.destroy());
    after(() => leaving[Symbol.asyncDispose]());
    const servername = 'stork-webhook.stork-system.svc';
    const ask = async () => {
      const options = { host: '127.0.0.1', port: leaving.port, path: '/mutate', method: 'POST', servername };
      const asked = request({ ...options, ca: trusted.authority, agent: pool });
      asked.end(JSON.stringify(review));
      const [response] = await once(asked, 'response');
      response.resume();
      await once(response, 'end');
      return [response.statusCode, response.headers.connection];
    };
    assert.deepEqual(await ask(), [200, 'keep-alive']);
    leaving.leave();
    assert.deepEqual(await ask(), [200, 'close']);
    assert.deepEqual(await ask(), [200, 'close']);
  });
});
