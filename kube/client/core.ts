/**
 * The built-in kinds we use: `core.pods` names the resource in calls, `Pod` is its type on the wire.
 * Kinds of ours live in crds/v1alpha1.
 */
import type {
  CoreV1Event,
  V1ClusterRole,
  V1ClusterRoleBinding,
  V1ConfigMap,
  V1CronJob,
  V1CSIDriver,
  V1CSINode,
  V1CSIStorageCapacity,
  V1CustomResourceDefinition,
  V1DaemonSet,
  V1Deployment,
  V1EndpointSlice,
  V1Endpoints,
  V1Ingress,
  V1IngressClass,
  V1Job,
  V1Lease,
  V1LimitRange,
  V1MutatingWebhookConfiguration,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodDisruptionBudget,
  V1PriorityClass,
  V1ReplicaSet,
  V1ResourceQuota,
  V1Role,
  V1RoleBinding,
  V1RuntimeClass,
  V1Secret,
  V1SelfSubjectAccessReview,
  V1Service,
  V1ServiceAccount,
  V1StatefulSet,
  V1StorageClass,
  V1SubjectAccessReview,
  V1TokenReview,
  V1ValidatingWebhookConfiguration,
  V1VolumeAttachment,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node';
import type { KubeObject, Resource } from './client.ts';
import type { WireObject } from './wire.ts';

export type Namespace = WireObject<V1Namespace>;
export type Node = WireObject<V1Node>;
export type Pod = WireObject<V1Pod>;
export type Service = WireObject<V1Service>;
export type Endpoints = WireObject<V1Endpoints>;
export type EndpointSlice = WireObject<V1EndpointSlice>;
export type ConfigMap = WireObject<V1ConfigMap>;
export type Secret = WireObject<V1Secret>;
export type ServiceAccount = WireObject<V1ServiceAccount>;
export type IngressClass = WireObject<V1IngressClass>;
export type RuntimeClass = WireObject<V1RuntimeClass>;
export type LimitRange = WireObject<V1LimitRange>;
export type ResourceQuota = WireObject<V1ResourceQuota>;
export type PersistentVolume = WireObject<V1PersistentVolume>;
export type PersistentVolumeClaim = WireObject<V1PersistentVolumeClaim>;
export type StorageClass = WireObject<V1StorageClass>;
export type VolumeAttachment = WireObject<V1VolumeAttachment>;
export type CSINode = WireObject<V1CSINode>;
export type CSIDriver = WireObject<V1CSIDriver>;
export type CSIStorageCapacity = WireObject<V1CSIStorageCapacity>;
export type Deployment = WireObject<V1Deployment>;
export type StatefulSet = WireObject<V1StatefulSet>;
export type DaemonSet = WireObject<V1DaemonSet>;
export type ReplicaSet = WireObject<V1ReplicaSet>;
export type Job = WireObject<V1Job>;
export type CronJob = WireObject<V1CronJob>;
export type HorizontalPodAutoscaler = WireObject<V2HorizontalPodAutoscaler>;
export type PodDisruptionBudget = WireObject<V1PodDisruptionBudget>;
export type PriorityClass = WireObject<V1PriorityClass>;
export type Ingress = WireObject<V1Ingress>;
export type NetworkPolicy = WireObject<V1NetworkPolicy>;
export type Role = WireObject<V1Role>;
export type RoleBinding = WireObject<V1RoleBinding>;
export type ClusterRole = WireObject<V1ClusterRole>;
export type ClusterRoleBinding = WireObject<V1ClusterRoleBinding>;
export type Lease = WireObject<V1Lease>;
export type Event = WireObject<CoreV1Event>;
export type CustomResourceDefinition = WireObject<V1CustomResourceDefinition>;
export type ValidatingWebhookConfiguration = WireObject<V1ValidatingWebhookConfiguration>;
export type MutatingWebhookConfiguration = WireObject<V1MutatingWebhookConfiguration>;
export type TokenReview = WireObject<V1TokenReview>;
export type SubjectAccessReview = WireObject<V1SubjectAccessReview>;
export type SelfSubjectAccessReview = WireObject<V1SelfSubjectAccessReview>;

/** snapshot.storage.k8s.io/v1: a CRD of external-snapshotter, so client-node has no type for it. */
export interface VolumeSnapshot extends KubeObject {
  readonly spec: {
    readonly volumeSnapshotClassName?: string | undefined;
    readonly source: {
      readonly persistentVolumeClaimName?: string | undefined;
      readonly volumeSnapshotContentName?: string | undefined;
    };
  };
  readonly status?:
    | {
        readonly boundVolumeSnapshotContentName?: string | undefined;
        /** When the snapshot was cut; set before `readyToUse`. */
        readonly creationTime?: string | undefined;
        readonly readyToUse?: boolean | undefined;
        readonly restoreSize?: string | undefined;
        readonly error?: SnapshotError | undefined;
      }
    | undefined;
}

export interface VolumeSnapshotContent extends KubeObject {
  readonly spec: {
    readonly deletionPolicy: 'Delete' | 'Retain';
    readonly driver: string;
    readonly volumeSnapshotClassName?: string | undefined;
    readonly sourceVolumeMode?: string | undefined;
    readonly source: { readonly volumeHandle?: string | undefined; readonly snapshotHandle?: string | undefined };
    readonly volumeSnapshotRef: {
      readonly apiVersion?: string | undefined;
      readonly kind?: string | undefined;
      readonly namespace: string;
      readonly name: string;
      readonly uid?: string | undefined;
      readonly resourceVersion?: string | undefined;
    };
  };
  readonly status?:
    | {
        readonly snapshotHandle?: string | undefined;
        /** Nanoseconds since 1970. */
        readonly creationTime?: number | undefined;
        readonly restoreSize?: number | undefined;
        readonly readyToUse?: boolean | undefined;
        readonly error?: SnapshotError | undefined;
      }
    | undefined;
}

export interface VolumeSnapshotClass extends KubeObject {
  readonly driver: string;
  readonly deletionPolicy: 'Delete' | 'Retain';
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

interface SnapshotError {
  readonly message?: string | undefined;
  readonly time?: string | undefined;
}

const namespaced = <T extends KubeObject>(
  group: string,
  version: string,
  plural: string,
  kind: string,
): Resource<T> => ({
  group,
  version,
  plural,
  kind,
  namespaced: true,
});

const clusterScoped = <T extends KubeObject>(
  group: string,
  version: string,
  plural: string,
  kind: string,
): Resource<T> => ({ group, version, plural, kind, namespaced: false });

export const core = {
  namespaces: clusterScoped<Namespace>('', 'v1', 'namespaces', 'Namespace'),
  nodes: clusterScoped<Node>('', 'v1', 'nodes', 'Node'),
  pods: namespaced<Pod>('', 'v1', 'pods', 'Pod'),
  services: namespaced<Service>('', 'v1', 'services', 'Service'),
  endpoints: namespaced<Endpoints>('', 'v1', 'endpoints', 'Endpoints'),
  endpointSlices: namespaced<EndpointSlice>('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice'),
  configMaps: namespaced<ConfigMap>('', 'v1', 'configmaps', 'ConfigMap'),
  secrets: namespaced<Secret>('', 'v1', 'secrets', 'Secret'),
  serviceAccounts: namespaced<ServiceAccount>('', 'v1', 'serviceaccounts', 'ServiceAccount'),
  limitRanges: namespaced<LimitRange>('', 'v1', 'limitranges', 'LimitRange'),
  resourceQuotas: namespaced<ResourceQuota>('', 'v1', 'resourcequotas', 'ResourceQuota'),
  persistentVolumes: clusterScoped<PersistentVolume>('', 'v1', 'persistentvolumes', 'PersistentVolume'),
  persistentVolumeClaims: namespaced<PersistentVolumeClaim>(
    '',
    'v1',
    'persistentvolumeclaims',
    'PersistentVolumeClaim',
  ),
  storageClasses: clusterScoped<StorageClass>('storage.k8s.io', 'v1', 'storageclasses', 'StorageClass'),
  volumeAttachments: clusterScoped<VolumeAttachment>('storage.k8s.io', 'v1', 'volumeattachments', 'VolumeAttachment'),
  csiNodes: clusterScoped<CSINode>('storage.k8s.io', 'v1', 'csinodes', 'CSINode'),
  csiDrivers: clusterScoped<CSIDriver>('storage.k8s.io', 'v1', 'csidrivers', 'CSIDriver'),
  csiStorageCapacities: namespaced<CSIStorageCapacity>(
    'storage.k8s.io',
    'v1',
    'csistoragecapacities',
    'CSIStorageCapacity',
  ),
  deployments: namespaced<Deployment>('apps', 'v1', 'deployments', 'Deployment'),
  statefulSets: namespaced<StatefulSet>('apps', 'v1', 'statefulsets', 'StatefulSet'),
  daemonSets: namespaced<DaemonSet>('apps', 'v1', 'daemonsets', 'DaemonSet'),
  replicaSets: namespaced<ReplicaSet>('apps', 'v1', 'replicasets', 'ReplicaSet'),
  jobs: namespaced<Job>('batch', 'v1', 'jobs', 'Job'),
  cronJobs: namespaced<CronJob>('batch', 'v1', 'cronjobs', 'CronJob'),
  horizontalPodAutoscalers: namespaced<HorizontalPodAutoscaler>(
    'autoscaling',
    'v2',
    'horizontalpodautoscalers',
    'HorizontalPodAutoscaler',
  ),
  podDisruptionBudgets: namespaced<PodDisruptionBudget>('policy', 'v1', 'poddisruptionbudgets', 'PodDisruptionBudget'),
  priorityClasses: clusterScoped<PriorityClass>('scheduling.k8s.io', 'v1', 'priorityclasses', 'PriorityClass'),
  ingressClasses: clusterScoped<IngressClass>('networking.k8s.io', 'v1', 'ingressclasses', 'IngressClass'),
  runtimeClasses: clusterScoped<RuntimeClass>('node.k8s.io', 'v1', 'runtimeclasses', 'RuntimeClass'),
  ingresses: namespaced<Ingress>('networking.k8s.io', 'v1', 'ingresses', 'Ingress'),
  networkPolicies: namespaced<NetworkPolicy>('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy'),
  roles: namespaced<Role>('rbac.authorization.k8s.io', 'v1', 'roles', 'Role'),
  roleBindings: namespaced<RoleBinding>('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding'),
  clusterRoles: clusterScoped<ClusterRole>('rbac.authorization.k8s.io', 'v1', 'clusterroles', 'ClusterRole'),
  clusterRoleBindings: clusterScoped<ClusterRoleBinding>(
    'rbac.authorization.k8s.io',
    'v1',
    'clusterrolebindings',
    'ClusterRoleBinding',
  ),
  leases: namespaced<Lease>('coordination.k8s.io', 'v1', 'leases', 'Lease'),
  events: namespaced<Event>('', 'v1', 'events', 'Event'),
  customResourceDefinitions: clusterScoped<CustomResourceDefinition>(
    'apiextensions.k8s.io',
    'v1',
    'customresourcedefinitions',
    'CustomResourceDefinition',
  ),
  validatingWebhookConfigurations: clusterScoped<ValidatingWebhookConfiguration>(
    'admissionregistration.k8s.io',
    'v1',
    'validatingwebhookconfigurations',
    'ValidatingWebhookConfiguration',
  ),
  mutatingWebhookConfigurations: clusterScoped<MutatingWebhookConfiguration>(
    'admissionregistration.k8s.io',
    'v1',
    'mutatingwebhookconfigurations',
    'MutatingWebhookConfiguration',
  ),
  tokenReviews: clusterScoped<TokenReview>('authentication.k8s.io', 'v1', 'tokenreviews', 'TokenReview'),
  subjectAccessReviews: clusterScoped<SubjectAccessReview>(
    'authorization.k8s.io',
    'v1',
    'subjectaccessreviews',
    'SubjectAccessReview',
  ),
  selfSubjectAccessReviews: clusterScoped<SelfSubjectAccessReview>(
    'authorization.k8s.io',
    'v1',
    'selfsubjectaccessreviews',
    'SelfSubjectAccessReview',
  ),
  volumeSnapshots: namespaced<VolumeSnapshot>('snapshot.storage.k8s.io', 'v1', 'volumesnapshots', 'VolumeSnapshot'),
  volumeSnapshotContents: clusterScoped<VolumeSnapshotContent>(
    'snapshot.storage.k8s.io',
    'v1',
    'volumesnapshotcontents',
    'VolumeSnapshotContent',
  ),
  volumeSnapshotClasses: clusterScoped<VolumeSnapshotClass>(
    'snapshot.storage.k8s.io',
    'v1',
    'volumesnapshotclasses',
    'VolumeSnapshotClass',
  ),
} as const;
