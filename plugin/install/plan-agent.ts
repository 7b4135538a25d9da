/** The agent's Deployment and Services. Pure. */
import { agentName, leaderLabel, pairEndpointAnnotation, pairServiceName } from '../../crds/agent-names.ts';
import type { AnyObject } from '../../kube/client/client.ts';
import type { InstallChoices } from './install-choices.ts';
import { labelled } from './labelled.ts';
import { planWebhookService, webhookPort } from './plan-webhook.ts';

const ports = { http: 8080, pair: 8443, movers: 9443, webhook: webhookPort } as const;
const nameLabel = { 'app.kubernetes.io/name': agentName } as const;

export function planAgent(choices: InstallChoices): readonly AnyObject[] {
  return [
    agentService(choices),
    pairService(choices),
    planWebhookService(choices.namespace),
    disruptionBudget(choices),
    deployment(choices),
  ];
}

/** Movers and metrics; only the leader answers movers. */
function agentService({ namespace }: InstallChoices): AnyObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: labelled({ name: agentName, namespace, labels: nameLabel }),
    spec: {
      selector: { ...nameLabel, [leaderLabel]: 'true' },
      ports: [
        { name: 'http', port: ports.http, targetPort: 'http', protocol: 'TCP' },
        { name: 'movers', port: ports.movers, targetPort: 'movers', protocol: 'TCP' },
      ],
    },
  };
}

function pairService({ namespace, pairService: type, pairNodePort, pairEndpoints }: InstallChoices): AnyObject {
  const annotations =
    pairEndpoints.length === 0 ? {} : { annotations: { [pairEndpointAnnotation]: pairEndpoints.join(',') } };
  const node = type === 'NodePort' ? { nodePort: pairNodePort } : {};
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: labelled({ name: pairServiceName, namespace, labels: nameLabel, ...annotations }),
    spec: {
      type,
      selector: { ...nameLabel, [leaderLabel]: 'true' },
      ports: [{ name: 'pair', port: ports.pair, targetPort: 'pair', protocol: 'TCP', ...node }],
    },
  };
}

/** Draining a node leaves another that answers; a single agent may be drained all the same, or nodes could never be. */
function disruptionBudget({ namespace }: InstallChoices): AnyObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: labelled({ name: agentName, namespace, labels: nameLabel }),
    spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: nameLabel } },
  };
}

function deployment(choices: InstallChoices): AnyObject {
  const { namespace, replicas, imagePullSecrets } = choices;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: labelled({ name: agentName, namespace, labels: nameLabel }),
    spec: {
      replicas,
      selector: { matchLabels: nameLabel },
      // One that answers admission is always there.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: { ...nameLabel, 'app.kubernetes.io/part-of': 'stork' } },
        spec: {
          serviceAccountName: agentName,
          terminationGracePeriodSeconds: 30,
          ...(imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
          topologySpreadConstraints: [apartFromEachOther],
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 65532,
            runAsGroup: 65532,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [container(choices)],
          volumes: [
            { name: 'tmp', emptyDir: { sizeLimit: '256Mi' } },
            // What movers know of volumes: may be lost, then a sync reads everything.
            { name: 'trees', emptyDir: { sizeLimit: '1Gi' } },
          ],
        },
      },
    },
  };
}

/** A node that dies takes one agent with it, where there are several nodes. Those that an update replaces don't count. */
const apartFromEachOther = {
  maxSkew: 1,
  topologyKey: 'kubernetes.io/hostname',
  whenUnsatisfiable: 'ScheduleAnyway',
  labelSelector: { matchLabels: nameLabel },
  matchLabelKeys: ['pod-template-hash'],
};

const treesPath = '/var/lib/stork/trees';

function container({ image, imagePullPolicy, clusterName, kubeconfigServers }: InstallChoices) {
  const fromField = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return {
    name: 'agent',
    image,
    imagePullPolicy,
    args: ['run'],
    env: [
      fromField('POD_NAME', 'metadata.name'),
      fromField('POD_NAMESPACE', 'metadata.namespace'),
      fromField('POD_UID', 'metadata.uid'),
      fromField('POD_IP', 'status.podIP'),
      fromField('NODE_NAME', 'spec.nodeName'),
      { name: 'STORK_IMAGE', value: image },
      { name: 'STORK_IMAGE_PULL_POLICY', value: imagePullPolicy },
      { name: 'STORK_CLUSTER_NAME', value: clusterName },
      { name: 'STORK_TREES', value: treesPath },
      ...(kubeconfigServers.length === 0
        ? []
        : [{ name: 'STORK_KUBECONFIG_SERVERS', value: kubeconfigServers.join(',') }]),
    ],
    ports: Object.entries(ports).map(([name, containerPort]) => ({ name, containerPort, protocol: 'TCP' })),
    livenessProbe: {
      httpGet: { path: '/healthz', port: 'http' },
      initialDelaySeconds: 10,
      periodSeconds: 10,
      failureThreshold: 6,
    },
    readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 2, failureThreshold: 3 },
    resources: { requests: { cpu: '100m', memory: '192Mi' }, limits: { memory: '1Gi' } },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'trees', mountPath: treesPath },
    ],
  };
}
