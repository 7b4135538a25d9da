/**
 * The runs this agent takes part in, kept open towards the relay: which pod may act as the mover, how its stream reaches
 * the other side, what it last reported. In memory only: a restarted agent opens them again from its objects.
 */
import type { Duplex } from 'node:stream';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import type { Clock } from '../../kube/clock.ts';
import type { GateAnswer, MoverReport, MoverRole } from '../mover/contract.ts';
import type { OpenRun, Peer, PodIdentity, RunEntry, Runs } from '../peer/peer.ts';
import { controllerOf } from '../resources/controller-of.ts';
import type { DestinationRuns } from './destination/destination-services.ts';
import { paths } from './messages.ts';
import { agentLabels, moverJobName } from './names.ts';
import type { RunWatch } from './run-watch.ts';
import { mustLetLeave } from './source/decide-leaving.ts';
import type { SourceRuns } from './source/source-services.ts';

export interface OpenRunsParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly runs: Runs;
}

/**
 * Whether a pod is the mover of a run: in the namespace we made its Job in, where a Job of that name is ours; elsewhere
 * anybody could have made one.
 */
export async function isMoverOf(
  client: KubeClient,
  pod: PodIdentity,
  run: { readonly id: string; readonly role: MoverRole; readonly namespace: string },
  signal?: AbortSignal,
): Promise<boolean> {
  if (pod.namespace !== run.namespace) return false;
  const found = await client.find(core.pods, pod, { signal });
  if (found === undefined || found.metadata.uid !== pod.uid) return false;
  const owner = controllerOf(found);
  return (
    found.metadata.labels?.[agentLabels.run] === run.id &&
    owner?.kind === 'Job' &&
    owner.name === moverJobName(run.id, run.role)
  );
}

interface OpenState {
  readonly handle: OpenRun;
  report: MoverReport | undefined;
  reportedAtMs: number;
  bytesPerSecond: number;
}

export function createSourceRuns(parts: OpenRunsParts): SourceRuns {
  const open = new Map<string, OpenState>();
  return {
    open(of, peer) {
      const state = open.get(of.run) ?? openSource(parts, of, peer);
      open.set(of.run, state);
      return state satisfies RunWatch;
    },
    close: (run) => closeRun(open, run),
  };
}

function openSource(parts: OpenRunsParts, of: Parameters<SourceRuns['open']>[0], peer: Peer): OpenState {
  const connect = async (signal: AbortSignal) => {
    mustLetLeave({ pair: peer.pair, grant: peer.grant, namespaces: of.claimNamespaces });
    return await peer.openStream(paths.stream(of.run), signal);
  };
  const gate = async () => refused('a source has no gate');
  const keys = new Map(
    of.volumes.map(({ name, uid }) => [name, treeKeyOf('source', peer.pairId, of.claimNamespaces, uid)]),
  );
  return register(parts, of, { role: 'source', connect, gate, treeKey: (volume) => keys.get(volume) });
}

export function createDestinationRuns(
  parts: OpenRunsParts,
  /** Resolves to that pair's stream for the run, once its peer has opened one. @throws StorkError `GrantRefused` */
  accept: (
    of: { readonly run: string; readonly pairId: string; readonly claimNamespaces: readonly string[] },
    signal: AbortSignal,
  ) => Promise<Duplex>,
): DestinationRuns {
  const open = new Map<string, OpenState>();
  const gates = new Map<string, () => Promise<GateAnswer>>();
  return {
    open({ run, pairId, namespace, claimNamespaces, volumes }, gate) {
      gates.set(run, gate);
      if (open.has(run)) return;
      const keys = new Map(
        volumes.map((one) => [one.name, treeKeyOf('destination', pairId, [one.namespace, one.name], one.uid)]),
      );
      const ask = async () => (await gates.get(run)?.()) ?? refused(`run ${run} is over`);
      open.set(
        run,
        register(
          parts,
          { run, namespace },
          {
            role: 'destination',
            connect: (signal) => accept({ run, pairId, claimNamespaces }, signal),
            gate: ask,
            treeKey: (volume) => keys.get(volume),
          },
        ),
      );
    },
    watch: (run) => open.get(run) satisfies RunWatch | undefined,
    close(run) {
      gates.delete(run);
      closeRun(open, run);
    },
  };
}

/**
 * Under what a mover's knowledge of a volume is kept: nobody else's run has the same key, as it names the pair, where the claim
 * lies here, and the uid of the claim that the data comes from.
 */
const treeKeyOf = (role: MoverRole, pairId: string, place: readonly string[], uid: string): string =>
  JSON.stringify([role, pairId, ...place, uid]);

interface OpenedRun {
  readonly run: string;
  readonly namespace: string;
}

function register(
  parts: OpenRunsParts,
  { run, namespace }: OpenedRun,
  entry: Pick<RunEntry, 'role' | 'connect' | 'gate' | 'treeKey'>,
): OpenState {
  const { client, clock, runs } = parts;
  const onReport = (report: MoverReport) => noteReport(state, report, clock.monotonicMs());
  const mayAct = (pod: PodIdentity, signal: AbortSignal) =>
    isMoverOf(client, pod, { id: run, role: entry.role, namespace }, signal);
  const handle = runs.register(run, { ...entry, mayAct, onReport });
  const state: OpenState = { handle, report: undefined, reportedAtMs: clock.monotonicMs(), bytesPerSecond: 0 };
  return state;
}

/** Half of the old rate and half of the new one: steady enough to read, quick enough to notice a stall. */
function noteReport(state: OpenState, report: MoverReport, nowMs: number): void {
  const seconds = (nowMs - state.reportedAtMs) / 1000;
  const samePhase = state.report?.phase === report.phase;
  // Each phase counts from its own start, and some start with what needn't be done.
  const moved = samePhase ? report.bytesDone - (state.report?.bytesDone ?? 0) : 0;
  if (seconds > 0) state.bytesPerSecond = (state.bytesPerSecond + Math.max(0, moved) / seconds) / 2;
  state.report = report;
  state.reportedAtMs = nowMs;
}

function closeRun(open: Map<string, OpenState>, run: string): void {
  open.get(run)?.handle[Symbol.dispose]();
  open.delete(run);
}

const refused = (reason: string): GateAnswer => ({ state: 'Refused', reason });
