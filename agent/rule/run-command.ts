/**
 * One exec in one container of one certain pod (by uid: a pod of the same name that replaced it is refused), bounded in
 * time. What went wrong comes back as a value; only the caller's own abort is thrown.
 */
import type { ExecResult, KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import type { Clock } from '../../kube/clock.ts';
import { isNotFound, renderError } from '../../kube/errors.ts';
import type { RuleTarget } from './rule-run.ts';

export type CommandOutcome =
  | { readonly kind: 'Ended'; readonly result: ExecResult }
  /** The pod, or the pod of that uid, is no more. */
  | { readonly kind: 'PodGone' }
  /** No answer within the time; the process may still run. */
  | { readonly kind: 'TimedOut'; readonly seconds: number }
  /** The exec could not be made, or broke off: whether it ran is not known. */
  | { readonly kind: 'NotReached'; readonly message: string };

export interface CommandRequest {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly target: Pick<RuleTarget, 'namespace' | 'pod' | 'podUid' | 'container'>;
  readonly command: readonly string[];
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

export async function runCommand(request: CommandRequest): Promise<CommandOutcome> {
  const { client, clock, target, signal } = request;
  const timedOut = new AbortController();
  using _timer = clock.after(request.timeoutSeconds * 1000, () => timedOut.abort(new Error('timed out')));
  const bounded = signal === undefined ? timedOut.signal : AbortSignal.any([signal, timedOut.signal]);
  try {
    const key = { namespace: target.namespace, name: target.pod };
    const pod = await client.find(core.pods, key, { signal: bounded });
    if (pod === undefined || pod.metadata.uid !== target.podUid) return { kind: 'PodGone' };
    const { namespace, pod: name, container } = target;
    const result = await client.exec({ namespace, pod: name, container, command: request.command, signal: bounded });
    return { kind: 'Ended', result };
  } catch (error) {
    signal?.throwIfAborted();
    if (timedOut.signal.aborted) return { kind: 'TimedOut', seconds: request.timeoutSeconds };
    if (isNotFound(error)) return { kind: 'PodGone' };
    return { kind: 'NotReached', message: renderError(error) };
  }
}
