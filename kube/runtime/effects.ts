/**
 * Effects by name: told to the debug log as they begin and end, and to a recorder, so that a test can end the agent before
 * and after each of them. After a recorder has thrown, the process counts as dead: whatever the stage does with that error,
 * the runner writes nothing more and throws it.
 */
import type { Log } from '../log.ts';

export interface EffectRecorder {
  /** May throw, to end the process before the effect. */
  before(effect: string): void;
  /** May throw, to end the process when the effect has happened but nobody has heard of it. */
  after(effect: string): void;
}

export interface EffectScopeParts {
  readonly recorder: EffectRecorder | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface EffectScope {
  effect<Result>(name: string, run: () => Promise<Result>): Promise<Result>;
  /** Rethrows what a recorder threw in this scope. */
  throwIfCrashed(): void;
}

export function effectScope({ recorder, log, signal }: EffectScopeParts): EffectScope {
  let crash: { readonly error: unknown } | undefined;
  const throwIfCrashed = () => {
    if (crash !== undefined) throw crash.error;
  };
  const tell = (when: 'before' | 'after', name: string) => {
    throwIfCrashed();
    try {
      recorder?.[when](name);
    } catch (error) {
      crash = { error };
      throw error;
    }
  };
  return {
    async effect(name, run) {
      signal.throwIfAborted();
      log.debug('effect begins', { effect: name });
      tell('before', name);
      const result = await run();
      log.debug('effect done', { effect: name });
      tell('after', name);
      return result;
    },
    throwIfCrashed,
  };
}
