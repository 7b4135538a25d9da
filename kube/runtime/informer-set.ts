/**
 * One watch per definition, shared by all who ask for it. A definition is shared by identity: declare it once
 * (`export const podInformer: InformerDefinition<Pod, PodRecord> = {…}`) and pass that value everywhere.
 */
import type { KubeObject } from '../client/client.ts';
import { type Informer, type InformerDefinition, type InformerEnvironment, startInformer } from './informer.ts';

export interface InformerSet extends AsyncDisposable {
  /** The running informer of this definition; started on first use. Not yet synced perhaps. */
  informer<T extends KubeObject, Entry>(definition: InformerDefinition<T, Entry>): Informer<Entry>;
  /** Resolves when all that were asked for so far are synced. */
  synced(signal?: AbortSignal): Promise<void>;
}

export function informerSet(environment: InformerEnvironment): InformerSet {
  const running = new Map<unknown, Informer<unknown>>();
  return {
    informer<T extends KubeObject, Entry>(definition: InformerDefinition<T, Entry>): Informer<Entry> {
      const found = running.get(definition);
      if (found !== undefined) return assertInformerOf(definition, found);
      const started = startInformer(definition, environment);
      running.set(definition, started);
      return started;
    },
    async synced(signal) {
      for (const informer of running.values()) await informer.synced(signal);
    },
    async [Symbol.asyncDispose]() {
      for (const informer of running.values()) await informer[Symbol.asyncDispose]();
      running.clear();
    },
  };
}

/** The map's key is the definition whose `project` made the entries, so their type is the definition's. */
function assertInformerOf<T extends KubeObject, Entry>(
  _definition: InformerDefinition<T, Entry>,
  informer: unknown,
): Informer<Entry> {
  return informer as Informer<Entry>;
}
