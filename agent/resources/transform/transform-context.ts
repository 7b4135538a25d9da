/** What rewriting may depend on besides the object itself. */
import type { RegisteredResource } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../kube/client/client.ts';

export interface TransformContext {
  readonly pairId: string;
  /** The namespaces of the migration: what cluster-scoped objects keep of their references. */
  readonly namespaces: readonly string[];
  /** `Keep`: spec.skipServiceUpdate, cluster addresses travel with a Service. */
  readonly serviceAddresses: 'Clear' | 'Keep';
  readonly registrations: readonly RegisteredResource[];
}

/** Pure; gets the object with its metadata already reduced and its status gone. */
export type Transform = (object: AnyObject, context: TransformContext) => AnyObject;
