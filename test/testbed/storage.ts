/** Storage of a cluster: for now nothing. */
import type { ClusterInputs, StartedCluster } from './cluster.ts';

export async function startStorage(_inputs: ClusterInputs, _started: StartedCluster): Promise<void> {}
