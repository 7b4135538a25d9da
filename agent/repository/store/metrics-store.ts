/** Counts what a store is asked for and how it ends. Where it stands in a stack decides what is counted: below retries, real requests. */
import type { Clock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';
import { type ByteRange, listByPages, type ObjectStore } from './object-store.ts';
import { wrapVersions } from './object-versions.ts';

export type StoreOperation = 'put' | 'get' | 'sizeOf' | 'list' | 'remove' | 'removeLeftovers';

export interface StoreRequest {
  readonly operation: StoreOperation;
  /** `ok`, `aborted`, or the error's code. */
  readonly result: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly durationMs: number;
}

export interface StoreCounters {
  readonly requests: Readonly<Record<StoreOperation, number>>;
  /** By code; misses and repeats that a caller asked for are among them. */
  readonly failures: Readonly<Record<string, number>>;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Adds requests up: `observe` for metricsStore, `read` for whoever shows them. */
export function storeCounters(): { observe(request: StoreRequest): void; read(): StoreCounters } {
  const requests = { put: 0, get: 0, sizeOf: 0, list: 0, remove: 0, removeLeftovers: 0 };
  const failures: Record<string, number> = {};
  const bytes = { sentBytes: 0, receivedBytes: 0 };
  return {
    observe({ operation, result, sentBytes, receivedBytes }) {
      requests[operation]++;
      if (result !== 'ok') failures[result] = (failures[result] ?? 0) + 1;
      bytes.sentBytes += sentBytes;
      bytes.receivedBytes += receivedBytes;
    },
    read: () => ({ requests: { ...requests }, failures: { ...failures }, ...bytes }),
  };
}

export function metricsStore(
  store: ObjectStore,
  observe: (request: StoreRequest) => void,
  clock: Pick<Clock, 'monotonicMs'>,
): ObjectStore {
  const begin = (operation: StoreOperation) => {
    const beganMs = clock.monotonicMs();
    return (result: string, sentBytes: number, receivedBytes: number) =>
      observe({ operation, result, sentBytes, receivedBytes, durationMs: clock.monotonicMs() - beganMs });
  };
  const count = async <Result>(
    operation: StoreOperation,
    run: () => Promise<Result>,
    { sent = 0, received = () => 0 }: { readonly sent?: number; readonly received?: (result: Result) => number } = {},
  ): Promise<Result> => {
    const end = begin(operation);
    try {
      const result = await run();
      end('ok', sent, received(result));
      return result;
    } catch (error) {
      end(resultOf(error), sent, 0);
      throw error;
    }
  };
  async function* read(name: string, range?: ByteRange, signal?: AbortSignal) {
    const end = begin('get');
    let received = 0;
    let result = 'ok';
    try {
      for await (const piece of store.read(name, range, signal)) {
        received += piece.length;
        yield piece;
      }
    } catch (error) {
      result = resultOf(error);
      throw error;
    } finally {
      end(result, 0, received);
    }
  }
  const page: ObjectStore['page'] = (prefix, from, signal) => count('list', () => store.page(prefix, from, signal));
  return {
    description: store.description,
    put: (name, bytes, signal) => count('put', () => store.put(name, bytes, signal), { sent: bytes.length }),
    get: (name, range, signal) =>
      count('get', () => store.get(name, range, signal), { received: ({ length }) => length }),
    read,
    sizeOf: (name, signal) => count('sizeOf', () => store.sizeOf(name, signal)),
    list: (prefix, signal) => listByPages(page, prefix, signal),
    page,
    remove: (name, signal) => count('remove', () => store.remove(name, signal)),
    removeMany: (names, signal) => count('remove', () => store.removeMany(names, signal)),
    removeLeftovers: (before, signal) => count('removeLeftovers', () => store.removeLeftovers(before, signal)),
    privateNames: store.privateNames,
    versions: wrapVersions(store.versions, (_signal, call, operation) =>
      count(operation, call, { received: (result) => (Buffer.isBuffer(result) ? result.length : 0) }),
    ),
  };
}

function resultOf(error: unknown): string {
  if (error instanceof StorkError) return error.code;
  return error instanceof Error && error.name === 'AbortError' ? 'aborted' : 'Unknown';
}
