import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { webhookName } from '../../crds/agent-names.ts';
import { core } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { silentLog } from '../../kube/log.ts';
import { informerSet } from '../../kube/runtime/informer-set.ts';
import { guardedServer } from '../requester/testing/guarded-server.ts';
import { createTrustKeeper, drainMs, serveWebhook } from './webhook.ts';

const namespace = 'stork-system';

/** A configuration that nobody trusts yet, and what it trusts later. */
function aCluster() {
  const clock = manualClock(new Date('2026-11-21T00:00:00Z'));
  const server = guardedServer({ clock });
  server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const client = server.client();
  const webhooks = [{ name: 'one', admissionReviewVersions: ['v1'], sideEffects: 'None', clientConfig: {} }];
  return {
    parts: { client, clock, log: silentLog(), namespace, randomBytes, random: () => 0.5 },
    client,
    clock,
    addWebhooks: () =>
      client.patch(core.mutatingWebhookConfigurations, { name: webhookName }, { type: 'merge', body: { webhooks } }),
    async trusted() {
      const { webhooks: found } = await client.get(core.mutatingWebhookConfigurations, { name: webhookName });
      return Buffer.from(found?.[0]?.clientConfig.caBundle ?? '', 'base64').toString();
    },
    async authority() {
      const { data } = await client.get(core.secrets, { namespace, name: 'stork-webhook-tls' });
      return Buffer.from(data?.['ca.crt'] ?? '', 'base64').toString();
    },
  };
}

describe('the webhook on a cluster', () => {
  it('is trusted by the configurations as soon as one appears, and again when the authority is another', async () => {
    const { parts, client, clock, addWebhooks, trusted, authority } = aCluster();
    const stop = new AbortController();
    await using informers = informerSet(parts);
    const running = createTrustKeeper({ ...parts, informers }).run(stop.signal);
    await clock.advance(1000);
    await addWebhooks();
    await clock.advance(1000);
    assert.match(await authority(), /BEGIN CERTIFICATE/);
    assert.equal(await trusted(), await authority());
    await client.delete(core.secrets, { namespace, name: 'stork-webhook-tls' });
    await clock.advance(1000);
    assert.equal(await trusted(), await authority());
    stop.abort();
    await running;
  });

  it('has one authority for all replicas, also for those that start together', async () => {
    const { parts, authority } = aCluster();
    const { signal } = new AbortController();
    const serve = () => serveWebhook({ ...parts, port: 0, host: '127.0.0.1' }, signal);
    const replicas = await Promise.all([serve(), serve()]);
    assert.match(await authority(), /BEGIN CERTIFICATE/);
    assert.notEqual(replicas[0]?.port, replicas[1]?.port);
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
  });

  it('answers for a while after it was asked to end', async () => {
    const { parts, clock } = aCluster();
    const { signal } = new AbortController();
    await using served = await serveWebhook({ ...parts, port: 0, host: '127.0.0.1' }, signal);
    let ended: 'Yes' | 'No' = 'No';
    const draining = served.drain().then(() => {
      ended = 'Yes';
    });
    await clock.advance(drainMs - 1);
    assert.equal(ended, 'No');
    await fetch(`https://127.0.0.1:${served.port}/`).catch(({ cause }) => assert.match(cause.code, /UNABLE_TO_VERIFY/));
    await clock.advance(1);
    await draining;
    assert.equal(ended, 'Yes');
  });
});
