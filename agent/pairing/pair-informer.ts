/** What the pairing feature keeps in memory of every ClusterPair. */
import { rotateAnnotation } from '../../crds/agent-names.ts';
import { type ClusterPair, clusterPairs } from '../../crds/v1alpha1/index.ts';
import type { InformerDefinition } from '../../kube/runtime/informer.ts';

interface SeenPair {
  readonly uid: string;
  /** Set while somebody asks for a new key. */
  readonly rotate: string | undefined;
}

export const pairInformer: InformerDefinition<ClusterPair, SeenPair> = {
  resource: clusterPairs,
  project: ({ metadata }) => ({ uid: metadata.uid ?? '', rotate: metadata.annotations?.[rotateAnnotation] }),
};
