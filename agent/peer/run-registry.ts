/**
 * The runs whose movers may use this agent, and their streams: a mover's stream is spliced to the other mover's. A new
 * stream of the same run and role replaces the old one on both sides, since a resumed mover starts its protocol anew.
 */
import type { Duplex } from 'node:stream';
import { StorkError } from '../../kube/errors.ts';
import type { MoverRole } from '../mover/contract.ts';
import type { PodIdentity, RunEntry, Runs } from './peer.ts';
import { type Splice, spliceStreams } from './splice.ts';

export interface RunRegistry extends Runs {
  /** The run, if this pod is its mover in that role. @throws StorkError `RunNotFound` for everybody else, alike */
  admit(run: string, role: MoverRole, pod: PodIdentity, signal: AbortSignal): Promise<AdmittedRun>;
}

export interface AdmittedRun {
  readonly entry: RunEntry;
  /**
   * Ends what an earlier connection of this mover still has open, connects to the other mover and splices the two.
   * Resolves when both directions ended well. @throws StorkError `Superseded`, `StreamBroken`, or why it can't connect
   */
  relay(stream: Duplex, signal: AbortSignal): Promise<void>;
}

interface Slot {
  readonly entry: RunEntry;
  readonly bytes: { toPeer: number; fromPeer: number };
  current: { readonly stop: AbortController; splice?: Splice | undefined } | undefined;
}

export function createRunRegistry(): RunRegistry {
  const slots = new Map<string, Slot>();
  const keyOf = (run: string, role: MoverRole) => `${run}/${role}`;

  return {
    register(run, entry) {
      const key = keyOf(run, entry.role);
      const former = slots.get(key);
      if (former !== undefined) endCurrent(former);
      const slot: Slot = { entry, bytes: { toPeer: 0, fromPeer: 0 }, current: undefined };
      slots.set(key, slot);
      return {
        bytes: slot.bytes,
        [Symbol.dispose]() {
          if (slots.get(key) === slot) slots.delete(key);
          endCurrent(slot);
        },
      };
    },
    async admit(run, role, pod, signal) {
      const slot = slots.get(keyOf(run, role));
      if (slot === undefined || !(await slot.entry.mayAct(pod, signal))) throw notFound(run, pod);
      return admittedRun(slot);
    },
  };
}

function admittedRun(slot: Slot): AdmittedRun {
  return {
    entry: slot.entry,
    async relay(stream, signal) {
      endCurrent(slot);
      const current: { readonly stop: AbortController; splice?: Splice } = { stop: new AbortController() };
      slot.current = current;
      const other = await slot.entry.connect(AbortSignal.any([signal, current.stop.signal]));
      current.splice = spliceStreams(stream, other, {
        onBytes(direction, sizeBytes) {
          if (direction === 'toRight') slot.bytes.toPeer += sizeBytes;
          else slot.bytes.fromPeer += sizeBytes;
        },
      });
      if (slot.current !== current) current.splice.end();
      await current.splice.done;
    },
  };
}

function endCurrent(slot: Slot): void {
  slot.current?.stop.abort(superseded());
  slot.current?.splice?.end();
  slot.current = undefined;
}

const superseded = () =>
  new StorkError({ code: 'Superseded', message: 'A newer connection of the mover took over, or the run ended' });

function notFound(run: string, pod: PodIdentity): StorkError {
  return new StorkError({
    code: 'RunNotFound',
    message: `Pod ${pod.namespace}/${pod.name} is not a mover of run ${run} here`,
    about: run,
  });
}
