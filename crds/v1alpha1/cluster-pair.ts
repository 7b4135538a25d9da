/**
 * ClusterPair: a cluster we exchange applications with. Two ways to make one: by invitation (`accept` here, `join`
 * there; docs/design/0001), or Stork's, with the other cluster's kubeconfig in `config`.
 */
import {
  anything,
  boolean,
  defaulted,
  defineKind,
  type Infer,
  type Input,
  integer,
  list,
  map,
  number,
  type ObjectOf,
  object,
  oneOf,
  required,
  rule,
  string,
  time,
  withRules,
} from '../schema/index.ts';
import { conditions, observedGeneration } from './condition.ts';

const endpoint = string({
  maxLength: 261,
  pattern: '^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$',
  description: 'host:port; an IPv6 address stands in brackets.',
});

const fingerprint = string({ minLength: 16, maxLength: 128, pattern: '^[A-Za-z0-9:+/=_-]+$' });

/** A kubeconfig in client-go's internal form: maps keyed by name, kebab keys. The agent refuses what it may not use. */
const kubeconfig = object(
  {
    'current-context': string({ maxLength: 1024 }),
    clusters: map(
      object(
        {
          server: string({ maxLength: 4096 }),
          'certificate-authority-data': string(),
          'insecure-skip-tls-verify': boolean(),
        },
        { unknown: 'Keep' },
      ),
    ),
    users: map(anything()),
    contexts: map(object({ cluster: string(), user: string(), namespace: string() }, { unknown: 'Keep' })),
  },
  { unknown: 'Keep', description: "The other cluster's kubeconfig, as `storkctl generate clusterpair` prints it." },
);

const grant = object(
  {
    namespaces: required(
      list(string({ minLength: 1, maxLength: 63, pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?|\\*)$' }), {
        minItems: 1,
        maxItems: 5000,
        listType: 'set',
        description:
          'Namespaces of this cluster that may travel over the pair; "*" is all but kube-system, kube-public, kube-node-lease and the agent\'s own. A ClusterPair outside the agent\'s namespace reaches its own namespace only.',
      }),
    ),
    directions: defaulted(
      list(oneOf(['Receive', 'Send']), {
        minItems: 1,
        maxItems: 2,
        listType: 'set',
        description: 'Receive: the peer may write here. Send: applications may leave from here.',
      }),
      ['Receive', 'Send'],
    ),
    clusterScopedKinds: list(string({ minLength: 1, maxLength: 317 }), {
      maxItems: 500,
      listType: 'set',
      description: 'Cluster-scoped kinds that the peer may write, as Kind or Kind.group.',
    }),
    serviceAccount: string({
      minLength: 1,
      maxLength: 253,
      default: 'stork-peer',
      description: "The ServiceAccount, in the agent's namespace, that the peer's objects are written as.",
    }),
  },
  { description: 'What the peer may do on this cluster.' },
);

const platformOptions = object({
  rancher: object({ projectMappings: map(string()) }),
});

const specFields = object({
  config: kubeconfig,
  options: map(string(), {
    description: "For the storage driver's own pairing: ip, port, token, mode, backuplocation.",
  }),
  platformOptions,
  accept: object(
    {
      endpoints: required(
        list(endpoint, {
          minItems: 1,
          maxItems: 16,
          description: "Addresses of this cluster's agent that the peer can reach.",
        }),
      ),
      ttlSeconds: integer({
        minimum: 60,
        maximum: 86_400,
        default: 3600,
        description: 'How long the invitation can be used.',
      }),
    },
    { description: 'Invites a peer: the agent makes a one-time code and writes it to the Secret stork-invite-<name>.' },
  ),
  join: object(
    {
      codeSecret: required(
        string({
          minLength: 1,
          maxLength: 253,
          description: 'The Secret, beside this object, whose key `code` holds the code.',
        }),
      ),
      endpoints: list(endpoint, {
        maxItems: 16,
        description: "Addresses of this cluster's agent that the peer can reach, if any: then either side may dial.",
      }),
    },
    { description: 'Uses an invitation of another cluster.' },
  ),
  grant,
  confirmedFingerprint: {
    ...fingerprint,
    node: {
      ...fingerprint.node,
      description: "The accepting admin's yes to the joiner's key (status.peer.fingerprint).",
    },
  },
});

type SpecFields = Infer<typeof specFields>;

const spec = withRules(
  specFields,
  rule<SpecFields>(
    '!(has(self.accept) && has(self.join))',
    'spec.accept and spec.join exclude each other: one cluster accepts, the other joins',
    (self) => self.accept === undefined || self.join === undefined,
  ),
  rule<SpecFields>(
    '!has(self.config) || !(has(self.accept) || has(self.join))',
    'spec.config (a kubeconfig) excludes spec.accept and spec.join (an invitation)',
    (self) => self.config === undefined || (self.accept === undefined && self.join === undefined),
  ),
  rule<SpecFields>(
    '!has(self.confirmedFingerprint) || has(self.accept)',
    'spec.confirmedFingerprint needs spec.accept: only the accepting cluster confirms',
    (self) => self.confirmedFingerprint === undefined || self.accept !== undefined,
  ),
);

const pairState = () => oneOf(['', 'Pending', 'Ready', 'Error', 'Degraded', 'Deleting', 'NotProvided']);

const status = object({
  schedulerStatus: pairState(),
  storageStatus: pairState(),
  remoteStorageId: string(),
  pairId: string({ maxLength: 128 }),
  ownFingerprint: fingerprint,
  peer: object({
    fingerprint,
    cluster: string({ description: "The peer's name for its cluster." }),
    version: string({ description: "The peer's agent version." }),
    endpoints: list(string(), { maxItems: 16 }),
    storageClasses: list(
      object({
        name: required(string({ maxLength: 253 })),
        freeBytes: string({ maxLength: 20, description: "Absent when the class's storage doesn't say." }),
      }),
      { maxItems: 100, listType: 'map', keys: ['name'] },
    ),
    capacity: string({ description: 'What is free there by storage class, for people.' }),
  }),
  probe: object(
    {
      token: required(string({ maxLength: 128, description: 'The annotation this is the answer to.' })),
      time: required(time()),
      endpoints: required(
        list(
          object({
            endpoint: required(string({ maxLength: 261 })),
            whose: required(oneOf(['Peer', 'Own'])),
            hop: required(oneOf(['Name', 'Connect', 'Handshake', 'Key'])),
            result: required(oneOf(['Passed', 'Failed'])),
            code: required(string({ maxLength: 64 })),
            message: required(string({ maxLength: 1024 })),
            hint: string({ maxLength: 1024 }),
          }),
          { maxItems: 32 },
        ),
      ),
    },
    {
      description: 'What the agent found when `kubectl stork pair doctor` asked: for each address, the hop it came to.',
    },
  ),
  roundTripMs: number({ minimum: 0 }),
  clockSkewMs: number(),
  lastSeenTime: time(),
  conditions,
  observedGeneration,
});

export const clusterPairs = defineKind({
  kind: 'ClusterPair',
  plural: 'clusterpairs',
  namespaced: true,
  description: 'A cluster that applications can be migrated to or from.',
  shortNames: ['cp'],
  columns: [
    { name: 'Storage-Status', type: 'string', jsonPath: '.status.storageStatus' },
    { name: 'Scheduler-Status', type: 'string', jsonPath: '.status.schedulerStatus' },
    { name: 'Peer', type: 'string', jsonPath: '.status.peer.cluster', priority: 1 },
    { name: 'Version', type: 'string', jsonPath: '.status.peer.version', priority: 1 },
    { name: 'Free', type: 'string', jsonPath: '.status.peer.capacity', priority: 1 },
    { name: 'Clock-Skew-Ms', type: 'string', jsonPath: '.status.clockSkewMs', priority: 1 },
    { name: 'Round-Trip-Ms', type: 'string', jsonPath: '.status.roundTripMs', priority: 1 },
    { name: 'Last-Seen', type: 'date', jsonPath: '.status.lastSeenTime', priority: 1 },
    { name: 'Created', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  fields: { spec: required(spec), status },
});

export type ClusterPair = ObjectOf<typeof clusterPairs>;
export type ClusterPairSpec = Infer<typeof spec>;
export type ClusterPairSpecInput = Input<typeof spec>;
export type ClusterPairStatus = Infer<typeof status>;
export type ClusterPairGrant = Infer<typeof grant>;
