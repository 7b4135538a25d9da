/**
 * Kubernetes' own types as they are on the wire. client-node's generated classes are right about the fields but describe
 * its decoded objects (`Date`, `_from`, `x_kubernetes_…`); these mapped types undo that, at no run-time cost.
 */
import type { KubeObject, ObjectMeta } from './client.ts';

/** Dates as strings, the fields' real names, everything readonly; an optional field may be given as `undefined`. */
export type Wire<T> = 0 extends 1 & T
  ? unknown
  : T extends Date
    ? string
    : T extends readonly (infer Element)[]
      ? readonly Wire<Element>[]
      : T extends object
        ? { readonly [K in keyof T as WireName<K>]: Wire<T[K]> | OrUndefined<T, K> }
        : T;

/** A generated class as one of our objects: its own fields, our `metadata`. */
export type WireObject<T> = KubeObject &
  Omit<Wire<T>, 'apiVersion' | 'kind' | 'metadata'> & { readonly metadata: ObjectMeta };

type OrUndefined<T, K extends keyof T> = string extends K ? never : object extends Pick<T, K> ? undefined : never;

type WireName<K> = K extends `x_kubernetes_${infer Rest}`
  ? `x-kubernetes-${Dashes<Rest>}`
  : K extends `_${infer Rest}`
    ? Rest
    : K extends string
      ? K
      : never;

type Dashes<S extends string> = S extends `${infer Head}_${infer Rest}` ? `${Head}-${Dashes<Rest>}` : S;
