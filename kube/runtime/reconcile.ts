/** What a reconcile function tells its controller: when to look at the key again. */
export type ReconcileResult =
  /** Only when something watched changes. */
  | { readonly do: 'awaitChange' }
  | { readonly do: 'requeue'; readonly seconds: number }
  /** It failed in a way that waiting may cure: again after the key's backoff, which grows with each failure in a row. */
  | { readonly do: 'retry'; readonly error: unknown };

/** `key` is `namespace/name`, or `name` for cluster-scoped objects. Throwing equals `retry(error)`. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult>;

export function awaitChange(): ReconcileResult {
  return { do: 'awaitChange' };
}

export function requeueAfter(seconds: number): ReconcileResult {
  return { do: 'requeue', seconds };
}

export function retry(error: unknown): ReconcileResult {
  return { do: 'retry', error };
}
