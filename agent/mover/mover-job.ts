/**
 * The Job of one mover, as a pure function: what it runs, what it may touch, where it runs. It needs no RBAC and gets no
 * API token, only one for its agent. The agent removes it; nothing expires by itself, as the result is read from the pod.
 */
import type { Job } from '../../kube/client/core.ts';
import {
  type MoverMode,
  type MoverRole,
  moverCaVariable,
  moverTokenAudience,
  moverTreeLimitBytes,
} from './contract.ts';
import type { MoverIdentity } from './mover-identity.ts';

/** Tells a mover that an update has begun: what its own run left there is its to finish. */
export const redoFlag = '--redo';

export interface MoverJobRequest {
  readonly namespace: string;
  readonly name: string;
  readonly run: string;
  readonly role: MoverRole;
  readonly mode: MoverMode;
  /** Added to the Job and its pod: operation, run, managed-by. */
  readonly labels: Readonly<Record<string, string>>;
  /** In `namespace`; all are used by one pod on this cluster, or will be. */
  readonly volumes: readonly {
    readonly name: string;
    readonly claim: string;
    readonly volumeMode: 'Filesystem' | 'Block';
    /** Mode update: the digest the volume must still have. */
    readonly expectDigest?: string | undefined;
  }[];
  /** What a destination may write over besides what is expected: anything, or what an interrupted update of this run left. */
  readonly existing?: 'Refuse' | 'Overwrite' | 'Redo' | undefined;
  /** Where a volume that is in use must be read. */
  readonly node?: string | undefined;
  /** Of a pod that uses the volumes. */
  readonly placement?:
    | {
        readonly nodeSelector?: Readonly<Record<string, string>> | undefined;
        readonly tolerations?: readonly unknown[] | undefined;
        readonly affinity?: unknown;
      }
    | undefined;
  /** A claim for staging; a bounded emptyDir when absent. */
  readonly scratchClaim?: string | undefined;
  /** How much the emptyDir may hold, when that is more than usual: the node must have it. */
  readonly scratchBytes?: number | undefined;
  /** Believe nothing of what is known from the last sync. */
  readonly readAll?: boolean | undefined;
  readonly image: string;
  /** `https://stork-agent.stork-system.svc:9443` */
  readonly agentUrl: string;
  /** PEM; public. */
  readonly agentCa: string;
  /** Where root is not admitted; as root when absent. */
  readonly identity?: MoverIdentity | undefined;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never' | undefined;
}

/** What an emptyDir for staging may hold, besides what is known from the last sync and the next one's; more needs a scratch claim. */
export const emptyScratchBytes = 1024 * 1024 * 1024;
const memoryLimit = '256Mi';
const backoffLimit = 20;
const tokenSeconds = 3600;

const pathOf = (volume: { readonly volumeMode: string }, at: number): string =>
  volume.volumeMode === 'Block' ? `/dev/stork-${at}` : `/volumes/${at}`;

export function planMoverJob(request: MoverJobRequest): Job {
  const { namespace, name, labels } = request;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace, labels },
    spec: {
      backoffLimit,
      completions: 1,
      parallelism: 1,
      template: {
        metadata: {
          labels,
          annotations: {
            'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
            // Sidecars would keep the Job from ending.
            'sidecar.istio.io/inject': 'false',
            'linkerd.io/inject': 'disabled',
          },
        },
        spec: {
          restartPolicy: 'OnFailure',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 30,
          securityContext: { seccompProfile: { type: 'RuntimeDefault' }, ...podIdentity(request) },
          ...placementOf(request),
          containers: [containerOf(request)],
          volumes: volumesOf(request),
        },
      },
    },
  };
}

/** Staging, and what is known of the volumes. */
const scratchLimit = ({ scratchBytes = emptyScratchBytes }: Pick<MoverJobRequest, 'scratchBytes'>): string =>
  String(scratchBytes + 2 * moverTreeLimitBytes);

type PodSpec = NonNullable<NonNullable<Job['spec']>['template']['spec']>;
type Container = PodSpec['containers'][number];

function containerOf(request: MoverJobRequest): Container {
  const { volumes, role, image, imagePullPolicy } = request;
  const mounts = volumes.flatMap((volume, at) =>
    volume.volumeMode === 'Block'
      ? []
      : [{ name: `volume-${at}`, mountPath: pathOf(volume, at), readOnly: role === 'source' }],
  );
  const devices = volumes.flatMap((volume, at) =>
    volume.volumeMode === 'Block' ? [{ name: `volume-${at}`, devicePath: pathOf(volume, at) }] : [],
  );
  const onNode = request.scratchBytes === undefined ? {} : { 'ephemeral-storage': scratchLimit(request) };
  return {
    name: 'mover',
    image,
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    args: argumentsOf(request),
    env: [
      { name: moverCaVariable, value: request.agentCa },
      // Threads of glibc otherwise keep what they freed to themselves.
      { name: 'MALLOC_ARENA_MAX', value: '2' },
    ],
    resources: { requests: { cpu: '50m', memory: '128Mi', ...onNode }, limits: { memory: memoryLimit } },
    securityContext: {
      ...(request.identity === undefined ? { runAsUser: 0, runAsGroup: 0, runAsNonRoot: false } : {}),
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: {
        drop: ['ALL'],
        ...(request.identity === undefined ? { add: [...capabilities[role]] } : {}),
      },
    },
    terminationMessagePolicy: 'File',
    volumeMounts: [
      ...mounts,
      { name: 'scratch', mountPath: '/scratch' },
      { name: 'token', mountPath: '/var/run/secrets/stork', readOnly: true },
    ],
    ...(devices.length === 0 ? {} : { volumeDevices: devices }),
  };
}

/** Written by the kubelet for whom the pod runs as: the token and the staging folder are readable to it. */
function podIdentity({ identity }: MoverJobRequest): NonNullable<PodSpec['securityContext']> {
  if (identity === undefined) return {};
  const { supplementalGroups, ...own } = identity;
  const groups = supplementalGroups === undefined ? {} : { supplementalGroups: [...supplementalGroups] };
  return { runAsNonRoot: true, ...own, ...groups };
}

/** All are in what Pod Security's baseline allows. Reading needs only to pass permission bits. */
const capabilities: Readonly<Record<MoverRole, readonly string[]>> = {
  source: ['DAC_OVERRIDE'],
  destination: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'MKNOD', 'SETFCAP'],
};

function argumentsOf(request: MoverJobRequest): string[] {
  const { run, role, mode, agentUrl, volumes, existing, scratchClaim, scratchBytes = emptyScratchBytes } = request;
  const volumeArguments = volumes.flatMap((volume, at) => [
    '--volume',
    `${volume.name}=${pathOf(volume, at)}${volume.volumeMode === 'Block' ? ':block' : ''}`,
  ]);
  const digests = volumes.flatMap(({ name, expectDigest }) =>
    expectDigest === undefined ? [] : ['--expect-digest', `${name}=${expectDigest}`],
  );
  // Below the emptyDir's limit, beyond which the kubelet evicts the pod.
  const limit = scratchClaim === undefined ? ['--staging-limit', String(Math.floor(scratchBytes * 0.9))] : [];
  return [
    'mover',
    '--run',
    run,
    '--role',
    role,
    '--mode',
    mode,
    '--agent',
    agentUrl,
    ...volumeArguments,
    ...digests,
    ...(existing === 'Overwrite' ? ['--overwrite'] : []),
    ...(existing === 'Redo' ? [redoFlag] : []),
    '--agent-cache',
    ...(request.readAll === true ? ['--no-cache'] : []),
    '--staging',
    '/scratch',
    ...limit,
  ];
}

function volumesOf({ volumes, scratchClaim, scratchBytes }: MoverJobRequest): NonNullable<PodSpec['volumes']> {
  const claims = volumes.map(({ claim }, at) => ({
    name: `volume-${at}`,
    persistentVolumeClaim: { claimName: claim },
  }));
  const scratch =
    scratchClaim === undefined
      ? { name: 'scratch', emptyDir: { sizeLimit: scratchLimit({ scratchBytes }) } }
      : { name: 'scratch', persistentVolumeClaim: { claimName: scratchClaim } };
  const token = {
    name: 'token',
    projected: {
      defaultMode: 0o400,
      sources: [
        { serviceAccountToken: { audience: moverTokenAudience, expirationSeconds: tokenSeconds, path: 'token' } },
      ],
    },
  };
  return [...claims, scratch, token];
}

/**
 * Where the consumer may run, the mover may run: selector, tolerations, node affinity. Affinity to other pods is left out:
 * those pods may not exist yet, and the mover is none of their kind. A pinned node overrides all, also its taints.
 */
function placementOf({ node, placement }: MoverJobRequest): Pick<PodSpec, 'nodeSelector' | 'tolerations' | 'affinity'> {
  if (node !== undefined) {
    const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
    return {
      affinity: {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } },
      },
      tolerations: [{ operator: 'Exists' }],
    };
  }
  const nodeAffinity = nodeAffinityOf(placement?.affinity);
  const { nodeSelector, tolerations } = placement ?? {};
  return {
    ...(nodeSelector === undefined ? {} : { nodeSelector: { ...nodeSelector } }),
    ...(tolerations === undefined ? {} : { tolerations: assertTolerations(tolerations) }),
    ...(nodeAffinity === undefined ? {} : { affinity: { nodeAffinity } }),
  };
}

type NodeAffinity = NonNullable<PodSpec['affinity']>['nodeAffinity'];

// Taken from a pod that an API server accepted; this cluster's API server checks it again.
function nodeAffinityOf(affinity: unknown): NodeAffinity {
  if (typeof affinity !== 'object' || affinity === null || !('nodeAffinity' in affinity)) return undefined;
  return affinity.nodeAffinity as NodeAffinity;
}

// As above.
function assertTolerations(tolerations: readonly unknown[]): PodSpec['tolerations'] {
  return [...tolerations] as PodSpec['tolerations'];
}
