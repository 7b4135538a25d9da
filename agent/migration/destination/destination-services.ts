/** What the destination's side of a migration needs from the rest of the agent, as narrow interfaces. */
import type { Driver } from '../../../drivers/driver.ts';
import type { AnyObject, KubeClient } from '../../../kube/client/client.ts';
import type { Clock } from '../../../kube/clock.ts';
import type { Log } from '../../../kube/log.ts';
import { type EffectRecorder, effectScope } from '../../../kube/runtime/effects.ts';
import type { GateAnswer } from '../../mover/contract.ts';
import type { AppliedObject } from '../../resources/apply/apply-objects.ts';
import type { Coming } from '../../resources/apply/plan-untried.ts';
import type { MoverJobs } from '../mover-jobs.ts';
import type { ReceiveRecord, Records } from '../records.ts';
import type { RunWatch } from '../run-watch.ts';

/** The pair a request came over, as its ClusterPair on this cluster says now. */
export interface Sender {
  readonly pairId: string;
  /** The ClusterPair, `namespace/name`. */
  readonly pair: string;
  readonly cluster: string;
  readonly grant: {
    readonly namespaces: readonly string[];
    readonly directions: readonly string[];
    readonly clusterScopedKinds: readonly string[];
    /** A ServiceAccount in the agent's namespace. */
    readonly serviceAccount: string;
  };
}

export interface DestinationRuns {
  /** Lets the run's destination mover, which runs in `namespace`, in; `gate` answers when it asks to change the volume. Repeating replaces the gate. */
  open(
    of: {
      readonly run: string;
      readonly pairId: string;
      readonly namespace: string;
      /** Where what it writes will belong: the pair's grant must cover them each time a stream begins. */
      readonly claimNamespaces: readonly string[];
      /** The claims of the source, by the names that the mover has for them. */
      readonly volumes: readonly { readonly namespace: string; readonly name: string; readonly uid: string }[];
    },
    gate: (signal?: AbortSignal) => Promise<GateAnswer>,
  ): void;
  /** What the mover said last that it does; `undefined` before it spoke to this agent. */
  watch(run: string): RunWatch | undefined;
  close(run: string): void;
}

export interface DestinationServices {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  /** Told before and after each step that changes something. */
  readonly effects?: EffectRecorder | undefined;
  readonly agentNamespace: string;
  readonly records: Records;
  readonly moverJobs: MoverJobs;
  readonly runs: DestinationRuns;
  driverFor(volume: { readonly pv: AnyObject }): Driver | undefined;
  /** The agent's connections, acting as the grant's ServiceAccount. */
  asPeer(serviceAccount: string): KubeClient;
  applyObjects(
    wave: {
      readonly sender: Sender;
      readonly operation: string;
      readonly migration: string;
      readonly time: string;
      readonly requester?: string | undefined;
      readonly objects: readonly AnyObject[];
      /** Given: nothing is written; see agent/resources/apply. */
      readonly plan?: Coming | undefined;
    },
    signal?: AbortSignal,
  ): Promise<readonly AppliedObject[]>;
  /** Starts what was migrated inactive; answers Stork's messages. */
  activate(
    client: KubeClient,
    what: {
      readonly namespaces: readonly string[];
      /** Keys (keyOfRef) of what may be started; absent: everything. */
      readonly only?: ReadonlySet<string> | undefined;
    },
    signal?: AbortSignal,
  ): Promise<{ readonly messages: readonly string[]; readonly failures: readonly string[] }>;
  /** Scales the workloads that own these pods to zero, recording their replicas. */
  scaleDown(client: KubeClient, namespace: string, pods: readonly string[], signal?: AbortSignal): Promise<void>;
}

/** Names and does one change made for an incoming group. */
export async function destinationEffect<Result>(
  services: DestinationServices,
  of: { readonly does: string; readonly record: ReceiveRecord; readonly signal: AbortSignal | undefined },
  run: () => Promise<Result>,
): Promise<Result> {
  const { operation, run: id, group } = of.record.request;
  const log = services.log.with({ operation, run: id });
  const signal = of.signal ?? new AbortController().signal;
  return await effectScope({ recorder: services.effects, log, signal }).effect(`${of.does} ${group}`, run);
}

export const destinationLimits = {
  pollSeconds: 2,
  /** Claims looked up at the same time for a plan. */
  claimReads: 16,
  /** Before an interrupted update is begun again with a new mover. */
  restartSeconds: 10,
  /** How often it is written down that the peer still asks. */
  askedMinutes: 15,
  /** A record whose peer has gone silent is given up after this long, unless its update is being applied. */
  giveUpHours: 48,
  /** How long what an overwrite replaced can be gone back to. */
  undoKeepDays: 7,
  /** How often it is looked whether that is over. */
  keptLookHours: 6,
  /** Between looks at those that storage is still removing. */
  expirySeconds: 30,
  /** How long an overwritten destination's pods may take to end. */
  scaleDownMinutes: 10,
  /** How long after its start an update waits for other nodes to let go of its volumes. */
  detachMinutes: 10,
  /** Head room over what the mover asked for, because file systems need some themselves. */
  scratchFactor: 1.25,
  minScratchBytes: 256 * 1024 * 1024,
} as const;

/** For a mover that asked for that much. */
export const scratchSize = (bytes: number): number =>
  Math.max(destinationLimits.minScratchBytes, Math.ceil(bytes * destinationLimits.scratchFactor));
