/**
 * What the agent may do, a role per feature, no wildcards. `Cluster` roles hold in every namespace, since applications may
 * be anywhere; what can be confined to the agent's own namespace is. Each says why it is needed.
 */

import { webhookName } from '../../crds/agent-names.ts';

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface FeatureRole {
  readonly feature: string;
  readonly scope: 'Cluster' | 'AgentNamespace';
  readonly why: string;
  readonly rules: readonly PolicyRule[];
}

const stork = 'stork.libopenstorage.org';
const read = ['get', 'list', 'watch'];
/** Applications are read when one migrates, never watched: least of all everybody's Secrets. */
const look = ['get', 'list'];
const own = ['actions', 'clusterpairs', 'migrations', 'resourcetransformations'];
const declared = ['applicationregistrations', 'rules'];

/** What applications consist of (reference/stork.md section 8): collected here, written there. */
export const applicationKinds: readonly PolicyRule[] = [
  rule('', ['configmaps', 'endpoints', 'limitranges', 'resourcequotas', 'secrets', 'serviceaccounts', 'services']),
  rule('apps', ['daemonsets', 'deployments', 'replicasets', 'statefulsets']),
  rule('batch', ['cronjobs', 'jobs']),
  rule('networking.k8s.io', ['ingresses', 'networkpolicies']),
  rule('policy', ['poddisruptionbudgets']),
  rule('rbac.authorization.k8s.io', ['rolebindings', 'roles']),
  rule('apps.openshift.io', ['deploymentconfigs']),
  rule('image.openshift.io', ['imagestreams']),
  rule('route.openshift.io', ['routes']),
  rule('template.openshift.io', ['templates']),
];

const clusterKinds: readonly PolicyRule[] = [
  rule('rbac.authorization.k8s.io', ['clusterrolebindings', 'clusterroles']),
  rule('scheduling.k8s.io', ['priorityclasses']),
  rule('apiextensions.k8s.io', ['customresourcedefinitions']),
];

const workloads: readonly PolicyRule[] = [
  rule('apps', ['deployments', 'replicasets', 'statefulsets']),
  rule('batch', ['cronjobs']),
  rule('apps.openshift.io', ['deploymentconfigs']),
];

export const agentRoles: readonly FeatureRole[] = [
  {
    feature: 'operations',
    scope: 'Cluster',
    why: 'Reads what users ask for, writes status and finalizers, tells by events.',
    rules: [
      { apiGroups: [stork], resources: [...own, ...declared], verbs: read },
      { apiGroups: [stork], resources: own, verbs: ['patch', 'update'] },
      { apiGroups: [stork], resources: own.map((kind) => `${kind}/status`), verbs: ['patch', 'update'] },
      { apiGroups: [stork], resources: own.map((kind) => `${kind}/finalizers`), verbs: ['update'] },
      { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
    ],
  },
  {
    feature: 'collect',
    scope: 'Cluster',
    why: 'Reads the resources of the applications that migrate.',
    rules: [
      ...applicationKinds.map((kinds) => ({ ...kinds, verbs: look })),
      ...clusterKinds.map((kinds) => ({ ...kinds, verbs: look })),
      { apiGroups: [''], resources: ['namespaces'], verbs: look },
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
        verbs: read,
      },
    ],
  },
  {
    feature: 'plan',
    scope: 'Cluster',
    why: 'Tells which classes that applications name are there.',
    rules: [
      { apiGroups: ['networking.k8s.io'], resources: ['ingressclasses'], verbs: ['get'] },
      { apiGroups: ['node.k8s.io'], resources: ['runtimeclasses'], verbs: ['get'] },
    ],
  },
  {
    feature: 'volumes',
    scope: 'Cluster',
    why: 'Finds volumes and snapshots them; hands a filled volume over to the claim of the application.',
    rules: [
      { apiGroups: [''], resources: ['nodes', 'pods'], verbs: read },
      { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: [...read, 'create', 'delete', 'patch'] },
      { apiGroups: [''], resources: ['persistentvolumes'], verbs: [...read, 'patch'] },
      { apiGroups: ['apps'], resources: ['daemonsets'], verbs: read },
      {
        apiGroups: ['storage.k8s.io'],
        resources: ['csidrivers', 'csinodes', 'csistoragecapacities', 'storageclasses', 'volumeattachments'],
        verbs: read,
      },
      {
        apiGroups: ['snapshot.storage.k8s.io'],
        resources: ['volumesnapshotcontents', 'volumesnapshots'],
        verbs: [...read, 'create', 'delete', 'patch'],
      },
      { apiGroups: ['snapshot.storage.k8s.io'], resources: ['volumesnapshotclasses'], verbs: read },
      // To learn when the kinds of snapshots come: a watch of one CustomResourceDefinition.
      { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: ['watch'] },
    ],
  },
  {
    feature: 'movers',
    scope: 'Cluster',
    why: 'Runs movers beside a claim that exists already; checks the tokens that movers show.',
    rules: [
      { apiGroups: ['batch'], resources: ['jobs'], verbs: [...read, 'create', 'delete'] },
      { apiGroups: [''], resources: ['pods'], verbs: read },
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
    ],
  },
  {
    feature: 'rules',
    scope: 'Cluster',
    why: 'Runs the commands of Rules in pods.',
    rules: [
      { apiGroups: [''], resources: ['pods'], verbs: read },
      { apiGroups: [''], resources: ['pods/exec'], verbs: ['create', 'get'] },
    ],
  },
  {
    feature: 'activation',
    scope: 'Cluster',
    why: 'Scales migrated workloads up and down; ends the pods that a suspended operator leaves running (podsPath).',
    rules: [
      ...workloads.map((kinds) => ({ ...kinds, verbs: [...look, 'patch'] })),
      { apiGroups: [''], resources: ['pods'], verbs: ['delete', 'get'] },
    ],
  },
  {
    feature: 'requester',
    scope: 'Cluster',
    why: 'Asks what the requester of an operation may do, and does no more for them.',
    rules: [{ apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] }],
  },
  {
    feature: 'webhook',
    scope: 'Cluster',
    why: "Keeps its own webhook configurations trusting the agent's certificates.",
    rules: [
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
        verbs: ['get', 'list', 'watch'],
      },
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
        verbs: ['patch'],
        resourceNames: [webhookName],
      },
    ],
  },
  {
    feature: 'own',
    scope: 'AgentNamespace',
    why: 'Keeps its keys, records, lease and movers; removes pairs that a peer made here and gave up.',
    rules: [
      {
        apiGroups: [''],
        resources: ['configmaps', 'secrets'],
        verbs: [...read, 'create', 'delete', 'patch', 'update'],
      },
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: [...read, 'create', 'patch', 'update'] },
      { apiGroups: [''], resources: ['pods'], verbs: [...read, 'patch'] },
      { apiGroups: [''], resources: ['services'], verbs: read },
      { apiGroups: [stork], resources: ['clusterpairs'], verbs: ['delete'] },
    ],
  },
];

const write = ['create', 'get', 'list', 'patch', 'update', 'watch'];
/** `delete` is for `purgeDeletedResources`: what came by a pair and is gone at its source. */
const purge = [...write, 'delete'];

/**
 * What a peer's objects are written with. Kubernetes refuses a Role that grants more than its writer has, so reading pods
 * is here too: most applications' Roles grant that.
 */
export const peerRules: readonly PolicyRule[] = [
  ...applicationKinds.map((kinds) => ({ ...kinds, verbs: purge })),
  ...clusterKinds.map((kinds) => ({ ...kinds, verbs: write })),
  { apiGroups: [''], resources: ['namespaces'], verbs: write },
  { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: purge },
  { apiGroups: [''], resources: ['events', 'pods', 'pods/log'], verbs: read },
];

function rule(apiGroup: string, resources: readonly string[]): PolicyRule {
  return { apiGroups: [apiGroup], resources, verbs: [] };
}
