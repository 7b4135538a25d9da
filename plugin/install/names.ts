/** Names that the agent and its installer agree on (docs/design/0001). */
export const agentNamespace = 'stork-system';
export const agentName = 'stork-agent';
export const pairServiceName = 'stork-pair';
export const peerAccount = 'stork-peer';
export const pairNodePort = 30443;

/** On the Service stork-pair: the host:port that peers reach, when it is not a node's address. */
export const pairEndpointAnnotation = 'stork.libopenstorage.org/pair-endpoint';
/** On the leader's pod, by the leader. */
export const leaderLabel = 'stork.libopenstorage.org/leader';
