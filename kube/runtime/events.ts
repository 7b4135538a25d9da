/**
 * Kubernetes Events (core/v1, what `kubectl describe` shows): told once, counted when repeated. Recording never blocks and
 * never fails the caller; the queue is bounded and what doesn't fit is counted in the log. Events are told after the fact
 * they report was written, and carry the reason that conditions and docs/errors.md use.
 */
import type { KubeClient, KubeObject } from '../client/client.ts';
import { core } from '../client/core.ts';
import type { Clock } from '../clock.ts';
import { isNotFound } from '../errors.ts';
import type { Log } from '../log.ts';
import { rfc3339 } from './conditions.ts';

export interface EventFacts {
  /** The object it is about. Events of cluster-scoped objects go to namespace `default`, as kubectl expects. */
  readonly regarding: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase. */
  readonly reason: string;
  /** One or more sentences, no secret in them; cut at 1024 characters. */
  readonly message: string;
}

export interface EventRecorder extends AsyncDisposable {
  record(event: EventFacts): void;
  /** Resolves when everything recorded so far was sent or given up. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  /** Who says so, e.g. `stork-agent`. */
  readonly component: string;
  /** Unique names: must differ between processes and calls, e.g. eight random hex digits. */
  readonly newId: () => string;
  /** Events waiting to be sent; 500 unless told. */
  readonly queueLimit?: number | undefined;
}

/** Distinct events remembered for counting. */
const rememberedLimit = 1000;
/** A repeat later than this is a new event. */
const repeatWindowMs = 600_000;
/** Distinct messages of one reason about one object within the window; further ones are folded into one event. */
const similarLimit = 10;

interface Remembered {
  readonly namespace: string;
  readonly name: string;
  readonly count: number;
  readonly lastMs: number;
}

export function eventRecorder(options: EventRecorderOptions): EventRecorder {
  const { clock, log, queueLimit = 500 } = options;
  const queue: EventFacts[] = [];
  const remembered = new Map<string, Remembered>();
  const similar = new Map<string, { readonly count: number; readonly sinceMs: number }>();
  const stop = new AbortController();
  let sending: Promise<void> | undefined;
  let dropped = 0;

  const sendAll = async () => {
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
      try {
        await send(options, remembered, event, stop.signal);
      } catch (error) {
        if (stop.signal.aborted) return;
        log.warn('an event was not recorded', { reason: event.reason, error });
      }
    }
    if (dropped > 0) log.warn('events were dropped, the queue was full', { dropped });
    dropped = 0;
    sending = undefined;
  };
  return {
    record(event) {
      if (stop.signal.aborted) return;
      if (queue.length >= queueLimit) {
        dropped += 1;
        return;
      }
      queue.push(foldSimilar(event, similar, clock.monotonicMs()));
      sending ??= sendAll();
    },
    flush: async () => await sending,
    async [Symbol.asyncDispose]() {
      stop.abort();
      queue.length = 0;
      await sending;
    },
  };
}

async function send(
  { client, clock, component, newId }: EventRecorderOptions,
  remembered: Map<string, Remembered>,
  event: EventFacts,
  signal: AbortSignal,
): Promise<void> {
  const nowMs = clock.monotonicMs();
  const now = rfc3339(clock.now());
  const { metadata, apiVersion, kind } = event.regarding;
  const message = event.message.slice(0, 1024);
  const key = [metadata.uid, kind, metadata.name, event.type, event.reason, message].join('\0');
  const before = remembered.get(key);
  remembered.delete(key);
  if (before !== undefined && nowMs - before.lastMs < repeatWindowMs) {
    const count = before.count + 1;
    const body = { count, lastTimestamp: now };
    const repeated = await client
      .patch(core.events, before, { type: 'merge', body }, { signal, fieldManager: component })
      .catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
    if (repeated !== undefined) return remember(remembered, key, { ...before, count, lastMs: nowMs });
  }
  const namespace = metadata.namespace ?? 'default';
  const name = `${metadata.name.slice(0, 200)}.${newId()}`;
  const { uid, resourceVersion } = metadata;
  await client.create(
    core.events,
    {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: {
        apiVersion,
        kind,
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      type: event.type,
      reason: event.reason,
      message,
      source: { component },
      reportingComponent: component,
      reportingInstance: component,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    },
    { signal, fieldManager: component },
  );
  remember(remembered, key, { namespace, name, count: 1, lastMs: nowMs });
}

function remember(remembered: Map<string, Remembered>, key: string, event: Remembered): void {
  remembered.set(key, event);
  for (const oldest of remembered.keys()) {
    if (remembered.size <= rememberedLimit) return;
    remembered.delete(oldest);
  }
}

/** A reason that comes with ever new messages becomes one event that is counted. */
function foldSimilar(
  event: EventFacts,
  similar: Map<string, { readonly count: number; readonly sinceMs: number }>,
  nowMs: number,
): EventFacts {
  const key = [event.regarding.metadata.uid, event.regarding.metadata.name, event.type, event.reason].join('\0');
  const before = similar.get(key);
  const fresh = before === undefined || nowMs - before.sinceMs > repeatWindowMs;
  const seen = fresh ? { count: 1, sinceMs: nowMs } : { ...before, count: before.count + 1 };
  similar.delete(key);
  similar.set(key, seen);
  for (const oldest of similar.keys()) {
    if (similar.size <= rememberedLimit) break;
    similar.delete(oldest);
  }
  return seen.count <= similarLimit
    ? event
    : { ...event, message: 'several similar events; see the status and the log' };
}
