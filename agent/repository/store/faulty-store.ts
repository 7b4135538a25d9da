/**
 * A store that fails as networks and servers do, for tests and torture: requests are lost on the way, or their answers; are late,
 * executed twice, or cut short. It never lies: what it calls done is done, and what it returns is whole. Seeded by `random`.
 */
import type { Clock } from '../../../kube/clock.ts';
import { type ByteRange, listByPages, type ObjectStore } from './object-store.ts';
import { unavailable } from './store-error.ts';

export const faults = ['LoseRequest', 'LoseAnswer', 'Delay', 'Repeat', 'Truncate'] as const;
export type Fault = (typeof faults)[number];

export interface FaultOptions {
  /** In [0, 1). */
  readonly random: () => number;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Share of requests that go wrong, 0…1. */
  readonly rate: number;
  readonly kinds?: readonly Fault[];
  readonly delayMs?: number;
  readonly onFault?: (fault: Fault, operation: string, name: string) => void;
}

export function faultyStore(store: ObjectStore, options: FaultOptions): ObjectStore {
  const { random, clock, rate, kinds = faults, delayMs = 200, onFault } = options;
  const draw = (operation: string, name: string): Fault | undefined => {
    if (random() >= rate) return undefined;
    const fault = kinds[Math.floor(random() * kinds.length)];
    if (fault !== undefined) onFault?.(fault, operation, name);
    return fault;
  };
  const lost = (what: string, name: string) => unavailable(`injected: ${what}`, name);
  const call = async <Result>(
    operation: string,
    name: string,
    signal: AbortSignal | undefined,
    run: () => Promise<Result>,
  ): Promise<Result> => {
    const fault = draw(operation, name);
    switch (fault) {
      case 'LoseRequest':
      case 'Truncate':
        throw lost(fault === 'Truncate' ? 'cut short' : 'lost', name);
      case 'LoseAnswer':
        await run();
        throw lost('answer lost', name);
      case 'Delay':
        await clock.sleep(delayMs, signal);
        return run();
      case 'Repeat':
        await run();
        return run();
      case undefined:
        return run();
      default:
        return fault satisfies never;
    }
  };
  async function* read(name: string, range?: ByteRange, signal?: AbortSignal) {
    const fault = draw('read', name);
    if (fault === 'LoseRequest' || fault === 'LoseAnswer') throw lost('lost', name);
    if (fault === 'Delay') await clock.sleep(delayMs, signal);
    for await (const piece of store.read(name, range, signal)) {
      if (fault !== 'Truncate') {
        yield piece;
        continue;
      }
      const part = piece.subarray(0, Math.floor(piece.length * random()));
      if (part.length > 0) yield part;
      throw lost('cut short', name);
    }
  }
  const page: ObjectStore['page'] = (prefix, from, signal) =>
    call('page', prefix, signal, () => store.page(prefix, from, signal));
  return {
    description: `${store.description}, with faults`,
    put: (name, bytes, signal) => call('put', name, signal, () => store.put(name, bytes, signal)),
    get: (name, range, signal) => call('get', name, signal, () => store.get(name, range, signal)),
    read,
    sizeOf: (name, signal) => call('sizeOf', name, signal, () => store.sizeOf(name, signal)),
    list: (prefix, signal) => listByPages(page, prefix, signal),
    page,
    remove: (name, signal) => call('remove', name, signal, () => store.remove(name, signal)),
    removeMany: (names, signal) => call('removeMany', names[0] ?? '', signal, () => store.removeMany(names, signal)),
    removeLeftovers: (before, signal) =>
      call('removeLeftovers', '', signal, () => store.removeLeftovers(before, signal)),
    privateNames: store.privateNames,
  };
}
