import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agentName, managedByLabel, webhookName } from '../../crds/agent-names.ts';
import { core } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { trustAuthority } from './trust-authority.ts';

const head = { apiVersion: 'admissionregistration.k8s.io/v1' } as const;
const webhooks = ['one', 'two'].map((name) => ({
  ...{ name, admissionReviewVersions: ['v1'], sideEffects: 'None' },
  clientConfig: { service: { name: webhookName, namespace: 'stork-system' } },
}));

function aCluster(labels: Readonly<Record<string, string>> = { [managedByLabel]: agentName }) {
  const server = fakeApiServer({ clock: manualClock() });
  const metadata = { name: webhookName, labels };
  server.seed(core.mutatingWebhookConfigurations, {
    ...head,
    kind: 'MutatingWebhookConfiguration',
    metadata,
    webhooks,
  });
  server.seed(core.validatingWebhookConfigurations, {
    ...head,
    kind: 'ValidatingWebhookConfiguration',
    metadata,
    webhooks,
  });
  const client = server.client();
  return {
    client,
    async bundles() {
      const guard = await client.get(core.mutatingWebhookConfigurations, { name: webhookName });
      return guard.webhooks?.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? '', 'base64').toString());
    },
    version: async () =>
      (await client.get(core.validatingWebhookConfigurations, { name: webhookName })).metadata.resourceVersion,
  };
}

describe('the webhook configurations', () => {
  it('come to trust the authority, and are not written again', async () => {
    const { client, bundles, version } = aCluster();
    assert.deepEqual(await trustAuthority(client, 'ca-1'), { state: 'Trusted' });
    assert.deepEqual(await bundles(), ['ca-1', 'ca-1']);
    const before = await version();
    await trustAuthority(client, 'ca-1');
    assert.equal(await version(), before);
    await trustAuthority(client, 'ca-2');
    assert.deepEqual(await bundles(), ['ca-2', 'ca-2']);
  });

  it('are missing when one was deleted, and the other is still kept', async () => {
    const { client, bundles } = aCluster();
    await client.delete(core.validatingWebhookConfigurations, { name: webhookName });
    assert.deepEqual(await trustAuthority(client, 'ca-1'), { state: 'Missing' });
    assert.deepEqual(await bundles(), ['ca-1', 'ca-1']);
  });

  it("are left alone when they are somebody else's", async () => {
    const { client, bundles } = aCluster({});
    assert.deepEqual(await trustAuthority(client, 'ca-1'), { state: 'Missing' });
    assert.deepEqual(await bundles(), ['', '']);
  });
});
