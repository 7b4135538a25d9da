/** ClusterPairs as PROMISES P25 shows them: STORAGE-STATUS SCHEDULER-STATUS CREATED. */
import { type ClusterPair, clusterPairs } from '../../../crds/v1alpha1/index.ts';
import { formatTime } from '../format-time.ts';
import type { ObjectView } from '../object-view.ts';

export const clusterPairView: ObjectView<ClusterPair> = {
  kind: clusterPairs,
  words: ['clusterpair', 'clusterpairs', 'cp'],
  title: 'Cluster pair',
  completes: 'ClusterPairs',
  columns: [
    { name: 'STORAGE-STATUS', cell: (pair) => pair.status?.storageStatus ?? '' },
    { name: 'SCHEDULER-STATUS', cell: (pair) => pair.status?.schedulerStatus ?? '' },
    { name: 'CREATED', cell: (pair) => formatTime(pair.metadata.creationTimestamp) },
    { name: 'PEER', wide: 'Yes', cell: (pair) => pair.status?.peer?.cluster ?? '' },
    { name: 'FINGERPRINT', wide: 'Yes', cell: (pair) => pair.status?.peer?.fingerprint ?? '' },
    { name: 'VERSION', wide: 'Yes', cell: (pair) => pair.status?.peer?.version ?? '' },
    { name: 'FREE', wide: 'Yes', cell: (pair) => pair.status?.peer?.capacity ?? '' },
    { name: 'CLOCK-SKEW', wide: 'Yes', cell: ({ status }) => milliseconds(status?.clockSkewMs) },
    { name: 'ROUND-TRIP', wide: 'Yes', cell: ({ status }) => milliseconds(status?.roundTripMs) },
    { name: 'LAST-SEEN', wide: 'Yes', cell: (pair) => formatTime(pair.status?.lastSeenTime) },
  ],
};

function milliseconds(value: number | undefined): string {
  return value === undefined ? '' : `${Math.round(value * 10) / 10} ms`;
}
