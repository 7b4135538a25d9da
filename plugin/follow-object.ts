/** One object as it changes: its state now, then after each change (only the latest, never a backlog). */
import type { KubeClient, KubeObject, ObjectKey, Resource } from '../kube/client/client.ts';
import type { Clock } from '../kube/clock.ts';
import { silentLog } from '../kube/log.ts';
import { startInformer } from '../kube/runtime/informer.ts';

export interface FollowRequest<T extends KubeObject> {
  readonly client: KubeClient;
  readonly resource: Resource<T>;
  readonly key: ObjectKey;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Yields again after this long without a change, for clocks on the screen and deadlines. */
  readonly tickMs: number;
}

/**
 * Yields `undefined` while the object doesn't exist. Dropped connections are resumed. Ends when the caller stops asking.
 * @throws ApiError when the object may not be listed or watched; the signal's reason when aborted
 */
export async function* followObject<T extends KubeObject>(
  request: FollowRequest<T>,
): AsyncGenerator<T | undefined, never> {
  const { client, resource, key, clock, random, signal, tickMs } = request;
  const selection = { namespace: key.namespace, fieldSelector: `metadata.name=${key.name}` };
  // The informer would retry a refusal for ever; one call of our own tells it.
  await client.listPage(resource, { ...selection, pageSize: 1, signal });
  await using informer = startInformer<T, T>(
    { resource, ...selection, project: (object) => object },
    { client, clock, random, log: silentLog() },
  );
  await informer.synced(signal);
  const id = key.namespace === undefined ? key.name : `${key.namespace}/${key.name}`;
  let changed = Promise.withResolvers<void>();
  using _ = informer.subscribe(() => changed.resolve());
  for (;;) {
    changed = Promise.withResolvers<void>();
    yield informer.find(id);
    signal.throwIfAborted();
    const enough = new AbortController();
    const tick = clock.sleep(tickMs, AbortSignal.any([signal, enough.signal])).catch((reason: unknown) => {
      if (!enough.signal.aborted) throw reason;
    });
    await Promise.race([changed.promise, tick]);
    enough.abort();
  }
}
