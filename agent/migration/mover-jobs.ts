/**
 * Mover Jobs on this cluster: start, look, remove. A mover's result is its container's termination message, so it is
 * known even if this agent was away when the mover ended.
 */
import { agentName } from '../../crds/agent-names.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core, type Job, type Pod } from '../../kube/client/core.ts';
import { isAlreadyExists, StorkError } from '../../kube/errors.ts';
import { type MoverMode, type MoverResult, type MoverRole, parseMoverResult } from '../mover/contract.ts';
import type { MoverIdentity } from '../mover/mover-identity.ts';
import { redoFlag } from '../mover/mover-job.ts';
import type { Placement } from './messages.ts';
import { agentLabels, moverJobName } from './names.ts';

export interface MoverSight {
  readonly job: 'Missing' | 'Running' | 'Exhausted' | 'Ended';
  /** Of the newest ended attempt. */
  readonly result: MoverResult | undefined;
  /** Why the newest attempt died without a result, or why its pod does not start. */
  readonly failure: string | undefined;
  /** `Yes`: it was started to finish an update that an earlier one had begun. */
  readonly redoes: 'Yes' | 'No';
}

export interface MoverPlace {
  readonly namespace: string;
  readonly run: string;
  readonly role: MoverRole;
}

export interface MoverRequest extends MoverPlace {
  readonly operation: string;
  readonly mode: MoverMode;
  readonly volumes: readonly {
    readonly name: string;
    readonly claim: string;
    readonly volumeMode: 'Filesystem' | 'Block';
    /** Destination, mode update: the digest the volume must still have. */
    readonly expectDigest?: string | undefined;
  }[];
  /** Destination: what may be written over besides what is expected; nothing when absent. */
  readonly existing?: 'Refuse' | 'Overwrite' | 'Redo' | undefined;
  /** A live volume is read on the node it is mounted on. */
  readonly node?: string | undefined;
  readonly placement?: Placement | undefined;
  /** Where root is not admitted; as root when absent. */
  readonly identity?: MoverIdentity | undefined;
  /** A claim for staging; a bounded emptyDir when absent. */
  readonly scratchClaim?: string | undefined;
  /** How much that may hold, when it is more than usual. */
  readonly scratchBytes?: number | undefined;
  /** Believe nothing of what is known from the last sync. */
  readonly readAll?: boolean | undefined;
}

export interface MoverJobs {
  /** Creates the job; one that exists is left alone. */
  start(request: MoverRequest, signal?: AbortSignal): Promise<void>;
  look(place: MoverPlace, signal?: AbortSignal): Promise<MoverSight>;
  /** Deletes the job and its pods; resolves to whether both are gone. */
  remove(place: MoverPlace, signal?: AbortSignal): Promise<'Gone' | 'Removing'>;
}

/** `plan` turns a request into a Job with what all movers of this agent share: image, address, CA. */
export function createMoverJobs(client: KubeClient, plan: (request: MoverRequest) => Job): MoverJobs {
  const key = (place: MoverPlace) => ({ namespace: place.namespace, name: moverJobName(place.run, place.role) });
  const podsOf = async (place: MoverPlace, signal?: AbortSignal): Promise<readonly Pod[]> => {
    const pods: Pod[] = [];
    const labelSelector = `${agentLabels.run}=${place.run},batch.kubernetes.io/job-name=${moverJobName(place.run, place.role)}`;
    for await (const pod of client.list(core.pods, { namespace: place.namespace, labelSelector, signal }))
      pods.push(pod);
    return pods;
  };
  return {
    async start(request, signal) {
      try {
        await client.create(core.jobs, plan(request), { fieldManager: agentName, signal });
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
    },
    async look(place, signal) {
      const job = await client.find(core.jobs, key(place), { signal });
      return seeMover(job, await podsOf(place, signal));
    },
    async remove(place, signal) {
      const left = await client.delete(core.jobs, key(place), { propagation: 'Foreground', signal });
      if (left === undefined && (await podsOf(place, signal)).length === 0) return 'Gone';
      return 'Removing';
    },
  };
}

/** Pure: what a job and its pods tell. */
export function seeMover(job: Job | undefined, pods: readonly Pod[]): MoverSight {
  const newest = pods.toSorted((a, b) => created(b).localeCompare(created(a)));
  const endings = newest.flatMap(endingsOf);
  const result = endings.map((ending) => ending.result).find((found) => found !== undefined);
  const failure = endings.find((ending) => ending.result === undefined)?.reason ?? newest.map(whyWaiting).find(Boolean);
  const redoes = job?.spec?.template.spec?.containers[0]?.args?.includes(redoFlag) === true ? 'Yes' : 'No';
  return { job: jobState(job), result, failure, redoes };
}

const created = (pod: Pod): string => pod.metadata.creationTimestamp ?? '';

function jobState(job: Job | undefined): MoverSight['job'] {
  if (job === undefined) return 'Missing';
  const conditions = job.status?.conditions ?? [];
  const is = (type: string) => conditions.some((condition) => condition.type === type && condition.status === 'True');
  if (is('Failed') || is('FailureTarget')) return 'Exhausted';
  return is('Complete') || is('SuccessCriteriaMet') ? 'Ended' : 'Running';
}

interface Ending {
  readonly result: MoverResult | undefined;
  readonly reason: string;
}

function endingsOf(pod: Pod): readonly Ending[] {
  const container = pod.status?.containerStatuses?.[0];
  const states = [container?.state?.terminated, container?.lastState?.terminated];
  return states
    .filter((state) => state !== undefined)
    .map((state) => ({
      result: readResult(state.message),
      reason:
        state.reason === 'Error' ? `exit code ${state.exitCode}` : (state.reason ?? `exit code ${state.exitCode}`),
    }));
}

/** A message that isn't a result (a crash before ours, a kubelet's words) is no result. */
function readResult(message: string | undefined): MoverResult | undefined {
  if (message === undefined || message === '') return undefined;
  try {
    return parseMoverResult(message);
  } catch (error) {
    if (error instanceof StorkError && error.code === 'InvalidMoverMessage') return undefined;
    throw error;
  }
}

function whyWaiting(pod: Pod): string | undefined {
  const waiting = pod.status?.containerStatuses?.[0]?.state?.waiting;
  if (waiting?.reason !== undefined && waiting.reason !== 'ContainerCreating')
    return `${waiting.reason}: ${waiting.message ?? ''}`.slice(0, 500);
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
  return scheduled?.status === 'False' ? (scheduled.message ?? scheduled.reason) : undefined;
}
