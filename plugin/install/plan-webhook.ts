/**
 * Admission of operations: the agent's replicas mark each with who asked for it. Only our group, and only what changes the
 * mark or the spec: an agent that is away blocks nothing else, no clean-up and no deletion. The leader fills in whom to
 * trust (caBundle). Pure.
 */
import { admissionName, agentName, requesterAnnotation, webhookName } from '../../crds/agent-names.ts';
import { group, version } from '../../crds/schema/index.ts';
import { operationKinds } from '../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../kube/client/client.ts';
import { labelled } from './labelled.ts';

export const webhookPort = 9444;
const timeoutSeconds = 5;
const nameLabel = { 'app.kubernetes.io/name': agentName } as const;

/** Every replica answers, leading or not. */
export function planWebhookService(namespace: string): AnyObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: labelled({ name: webhookName, namespace, labels: nameLabel }),
    spec: {
      type: 'ClusterIP',
      selector: nameLabel,
      ports: [{ name: 'webhook', port: 443, targetPort: 'webhook', protocol: 'TCP' }],
    },
  };
}

/** Last of an installation: from here on no operation is taken without an agent that answers. */
export function planWebhooks(namespace: string): readonly AnyObject[] {
  return [
    configuration('MutatingWebhookConfiguration', webhook(namespace, '/mutate')),
    configuration('ValidatingWebhookConfiguration', webhook(namespace, '/validate')),
  ];
}

function configuration(kind: string, one: ReturnType<typeof webhook>): AnyObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: labelled({ name: webhookName }),
    webhooks: [one],
  };
}

function webhook(namespace: string, path: '/mutate' | '/validate') {
  return {
    name: admissionName,
    admissionReviewVersions: ['v1'],
    clientConfig: { service: { name: webhookName, namespace, path, port: 443 } },
    rules: [
      {
        apiGroups: [group],
        apiVersions: [version],
        operations: ['CREATE', 'UPDATE'],
        resources: operationKinds.map(({ plural }) => plural),
        scope: 'Namespaced',
      },
    ],
    matchPolicy: 'Equivalent',
    failurePolicy: 'Fail',
    sideEffects: 'None',
    timeoutSeconds,
    matchConditions: [{ name: 'asks-for-something', expression: asksForSomething }],
  };
}

const stampOf = (object: string): string =>
  `(has(${object}.metadata.annotations) && '${requesterAnnotation}' in ${object}.metadata.annotations ? ${object}.metadata.annotations['${requesterAnnotation}'] : '')`;

const asksForSomething = `request.operation == 'CREATE' || object.spec != oldObject.spec || ${stampOf('object')} != ${stampOf('oldObject')}`;
