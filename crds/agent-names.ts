/** What agent and plugin, who meet only through the Kubernetes API, must call alike (docs/design/0001-main-job.md). */
export const agentNamespace = 'stork-system';
/** Of the Deployment, its pods' label, its field manager and its mark on what it makes. */
export const agentName = 'stork-agent';
export const pairServiceName = 'stork-pair';
export const peerAccount = 'stork-peer';
export const pairNodePort = 30443;

/** On the Service stork-pair: the host:port that peers reach, when it is not a node's address. */
export const pairEndpointAnnotation = 'stork.libopenstorage.org/pair-endpoint';
/** On a ClusterPair, by `kubectl stork pair doctor`: any new text asks the agent to look at each hop and tell it in `status.probe`. */
export const probeAnnotation = 'stork.libopenstorage.org/probe';
/** On a ClusterPair, by `kubectl stork pair rotate`: asks the agent to replace its key, once for each new text; the agent takes it away. */
export const rotateAnnotation = 'stork.libopenstorage.org/rotate-key';
/** On the leader's pod, by the leader. */
export const leaderLabel = 'stork.libopenstorage.org/leader';

/** On everything that is made for one operation: the uid of its Migration. */
export const operationLabel = 'stork.libopenstorage.org/operation';
/** On movers: the group of volumes they move, also in what the agents log of it. */
export const runLabel = 'stork.libopenstorage.org/run';

/** What an agent logs when nothing is left to do of a migration that came: `kubectl stork logs -f` there ends with it. */
export const incomingEnded = 'incoming migration ended';

/** Of the Service and of both webhook configurations through which each request is marked with who made it. */
export const webhookName = 'stork-webhook';
/** Of the one webhook in each of both configurations, as API servers name it when it does not answer. */
export const admissionName = 'requester.stork.libopenstorage.org';
/** On Migrations and Actions, by the admission webhook alone: who asked for it, as JSON. */
export const requesterAnnotation = 'stork.libopenstorage.org/requester';

/** On VolumeSnapshots that outlive their operation: when the agent removes them, RFC 3339, or `for good`; and why they are there. */
export const keptUntilAnnotation = 'stork.libopenstorage.org/kept-until';
export const keptBecauseAnnotation = 'stork.libopenstorage.org/kept-because';

/**
 * A new webhook configuration has reached every API server after this: what was made earlier might have passed by it.
 */
export const guardSettlesMs = 2000;

/** With {@link agentName} as its value on everything of ours: what lacks it is somebody's, and is left alone. */
export const managedByLabel = 'app.kubernetes.io/managed-by';

export function isManagedByAgent(metadata: {
  readonly labels?: Readonly<Record<string, string>> | undefined;
}): boolean {
  return metadata.labels?.[managedByLabel] === agentName;
}
