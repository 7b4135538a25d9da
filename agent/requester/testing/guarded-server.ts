/** A fake API server as an installation leaves it: guarded by the webhook since long ago, which marks each operation. */
import { agentName, managedByLabel, requesterAnnotation, webhookName } from '../../../crds/agent-names.ts';
import { operationKinds } from '../../../crds/v1alpha1/index.ts';
import type { Impersonation, KubeObject } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { type FakeApiServer, type FakeApiServerOptions, fakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import { renderRequester } from '../requester.ts';

export function guardedServer(options: Omit<FakeApiServerOptions, 'admitCreate'>): FakeApiServer {
  const server = fakeApiServer({ ...options, admitCreate: markRequester });
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const metadata = {
    name: webhookName,
    labels: { [managedByLabel]: agentName },
    creationTimestamp: '2000-01-01T00:00:00Z',
  };
  server.seed(core.mutatingWebhookConfigurations, { apiVersion, kind: 'MutatingWebhookConfiguration', metadata });
  server.seed(core.validatingWebhookConfigurations, { apiVersion, kind: 'ValidatingWebhookConfiguration', metadata });
  return server;
}

/** What admission makes of an operation that somebody creates; for {@link FakeApiServer.seed}, which passes by admission. */
export function markRequester<T extends KubeObject>(object: T, { user, groups = [] }: Impersonation): T {
  if (!operationKinds.some(({ kind }) => kind === object.kind)) return object;
  const stamp = renderRequester({ username: user, groups });
  const annotations = { ...object.metadata.annotations, [requesterAnnotation]: stamp };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

export const clusterAdmin: Impersonation = { user: 'kubernetes-admin', groups: ['system:masters'] };
