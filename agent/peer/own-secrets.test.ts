import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { ensureIdentity } from './identity.ts';
import { ensureMoverTls } from './mover-tls.ts';
import { findSecret, replaceSecret } from './secret-store.ts';

const namespace = 'stork-system';
const now = new Date('2026-11-21T00:00:00Z');

async function aCluster() {
  const client = fakeApiServer({ clock: manualClock(now) }).client();
  await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  return { client, namespace, randomBytes, now };
}

describe("the agent's identity", () => {
  it('is made once, also by replicas that start together, and outlives its certificate', async () => {
    const cluster = await aCluster();
    const [one, two] = await Promise.all([ensureIdentity(cluster), ensureIdentity(cluster)]);
    const later = await ensureIdentity({ ...cluster, now: new Date('2056-01-01T00:00:00Z') });
    assert.equal(one.pin, two.pin);
    assert.equal(one.pin, later.pin);
    assert.equal(new X509Certificate(later.certificate).validTo, 'Dec 31 23:59:59 9999 GMT');
  });

  it('is refused by name, its text unseen, when the Secret holds something else', async () => {
    const cluster = await aCluster();
    const metadata = { name: 'stork-identity', namespace };
    const data = { 'key.pem': Buffer.from('not a key 0badc0de').toString('base64') };
    await cluster.client.create(core.secrets, { apiVersion: 'v1', kind: 'Secret', metadata, data });
    await assert.rejects(
      ensureIdentity(cluster),
      (error: Error & { code?: string }) => error.code === 'InvalidIdentity' && !error.message.includes('0badc0de'),
    );
  });
});

describe("the movers' certificates", () => {
  it('keep while they are good, and are renewed a month before the end under the same authority', async () => {
    const cluster = await aCluster();
    const first = await ensureMoverTls(cluster);
    const same = await ensureMoverTls({ ...cluster, now: new Date('2026-12-21T00:00:00Z') });
    assert.equal(same.certificate, first.certificate);
    const renewed = await ensureMoverTls({ ...cluster, now: new Date('2027-01-25T00:00:00Z') });
    assert.notEqual(renewed.certificate, first.certificate);
    assert.equal(renewed.authority, first.authority);
    assert.ok(new X509Certificate(renewed.certificate).verify(new X509Certificate(first.authority).publicKey));
  });

  it('are one for all replicas', async () => {
    const cluster = await aCluster();
    const [one, two] = await Promise.all([ensureMoverTls(cluster), ensureMoverTls(cluster)]);
    assert.equal(one.certificate, two.certificate);
  });
});

describe('our Secrets', () => {
  it('are replaced only when they are ours and unchanged', async () => {
    const cluster = await aCluster();
    await ensureIdentity(cluster);
    const place = { ...cluster, name: 'stork-identity' };
    const stored = await findSecret(place);
    assert.ok(stored);
    await replaceSecret(place, stored, stored.fields);
    await assert.rejects(replaceSecret(place, { ...stored, resourceVersion: '1' }, {}), { code: 'Conflict' });
    await assert.rejects(replaceSecret(place, { ...stored, labels: {} }, {}), { code: 'SecretNotOurs' });
  });
});
