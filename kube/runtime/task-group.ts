/**
 * Owns promises that run beside the caller. The first task to fail aborts the others; `join` waits for all and throws
 * that first failure; disposing aborts and waits, so that no task outlives the block that made the group.
 */
export interface TaskGroup extends AsyncDisposable {
  readonly signal: AbortSignal;
  /** Starts a task. Ignored once the group has stopped. */
  spawn(run: (signal: AbortSignal) => Promise<void>): void;
  /** Asks all tasks to end. */
  stop(reason?: unknown): void;
  /** Resolves when no task runs any more; rejects with the first failure that was not the stop itself. */
  join(): Promise<void>;
}

export function taskGroup(parent?: AbortSignal): TaskGroup {
  const controller = new AbortController();
  const signal = parent === undefined ? controller.signal : AbortSignal.any([parent, controller.signal]);
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;

  const settle = async () => {
    while (running.size > 0) await Promise.all(running);
  };
  return {
    signal,
    spawn(run) {
      if (signal.aborted) return;
      const task = (async () => run(signal))().catch((error: unknown) => {
        if (signal.aborted && error === signal.reason) return;
        failure ??= { error };
        controller.abort(error);
      });
      const owned = task.finally(() => running.delete(owned));
      running.add(owned);
    },
    stop: (reason) => controller.abort(reason),
    async join() {
      await settle();
      if (failure !== undefined) throw failure.error;
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      await settle();
    },
  };
}
