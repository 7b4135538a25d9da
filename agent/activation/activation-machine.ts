/**
 * The Action controller for activate and deactivate: scales the migrated applications of namespaces up or down on this
 * cluster. Needs no peer. One namespace is one effect and one status write; a restarted agent goes on with the next, and
 * repeating one changes nothing.
 */
import { type Action, type ActionStatus, actions } from '../../crds/v1alpha1/index.ts';
import type { AnyResource, KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import { rfc3339 } from '../../kube/runtime/conditions.ts';
import { defineMachine, type Machine, type StageContext, type Step } from '../../kube/runtime/machine.ts';
import { advance, fail, finish, type Outcome, type StatusPatch, wait } from '../../kube/runtime/outcome.ts';
import type { Access } from '../requester/access.ts';
import { type ActivationParts, activateNamespace, deactivateNamespace } from '../resources/activation.ts';
import { storkNames } from '../resources/names.ts';
import { checkSwitching } from './check-switching.ts';
import {
  type ActivationOrder,
  decideEnd,
  decideOrder,
  type NamespaceOutcome,
  remainingNamespaces,
  withOutcome,
  withWrongPlace,
} from './decide-activation.ts';

export type ActivationStage = 'Initial' | 'Switching';

export interface ActivationServices {
  /** The agent's; an Action here reaches any namespace. */
  readonly agentNamespace: string;
  /** Opens what was stashed for activation. */
  readonly stashKey: string;
  /** Who asked, and what they may do themselves. */
  readonly access: Access;
}

export function activationMachine(services: ActivationServices): Machine<Action, ActivationStage, ActionStatus> {
  return defineMachine<Action, ActivationStage, ActionStatus>({
    name: 'action',
    resource: actions,
    initial: 'Initial',
    stages: {
      Initial: {
        does: 'Checks what is asked for, and that whoever asks may switch the workloads of its namespaces.',
        to: ['Switching'],
        run: (context) => runInitial(services, context),
      },
      Switching: {
        does: 'Sets replicas and suspend options, a namespace after the other.',
        to: ['End'],
        run: (context) => runSwitching(services, context),
      },
    },
    stageOf,
    statusFor,
  });
}

/** Pure, from status alone. */
export function stageOf({ status }: Action): ActivationStage | undefined {
  if (status?.stage === 'Final') return undefined;
  return status?.stage === undefined || status.stage === '' ? 'Initial' : 'Switching';
}

function statusFor(step: Step<Action, ActivationStage, ActionStatus>): StatusPatch<ActionStatus> {
  const { object, next, outcome, now } = step;
  const isUp = object.spec.actionType === 'activate';
  if (next === 'Switching') {
    return { stage: isUp ? 'ScaleUpDestination' : 'ScaleDownDestination', status: 'In-Progress' };
  }
  if (next !== 'End') return {};
  const message = 'message' in outcome ? outcome.message : '';
  return {
    stage: 'Final',
    status: outcome.do === 'fail' ? 'Failed' : 'Successful',
    reason: message,
    finishTimestamp: rfc3339(now),
  };
}

async function runInitial(
  services: ActivationServices,
  { object, client, signal }: StageContext<Action>,
): Promise<Outcome<ActivationStage, ActionStatus>> {
  const requester = await services.access.requesterOf(object, signal);
  const order = decideOrder(object, services.agentNamespace);
  if (order.do === 'refuse') return fail(order.reason, order.message);
  const namespaces = await namespacesOf(client, order, signal);
  await checkSwitching({ ...services, client }, { requester, namespaces }, signal);
  return advance('Switching');
}

async function runSwitching(
  services: ActivationServices,
  context: StageContext<Action>,
): Promise<Outcome<ActivationStage, ActionStatus>> {
  const { object, client, signal } = context;
  const order = decideOrder(object, services.agentNamespace);
  if (order.do === 'refuse') return fail(order.reason, order.message);
  const all = await namespacesOf(client, order, signal);
  const [namespace, ...later] = remainingNamespaces(all, object.status);
  if (namespace === undefined) return end(order, object.status);
  const requester = await services.access.requesterOf(object, signal);
  await checkSwitching({ ...services, client }, { requester, namespaces: [namespace] }, signal);
  const stash = { key: services.stashKey, clock: context.clock, mode: 'Make', madeFor: object.metadata.uid } as const;
  const outcome = await context.effect(`${order.type} namespace ${namespace}`, () =>
    switchNamespace({ client, stash }, { ...order, namespace }, signal),
  );
  const patch = withOutcome(object.status, outcome);
  if (later.length === 0) return end(order, { ...object.status, ...patch }, patch);
  return wait(0, 'Switching', `${later.length} of ${all.length} namespaces to go`, patch);
}

function end(
  order: Extract<ActivationOrder, { readonly do: 'switch' }>,
  status: ActionStatus | undefined,
  patch: StatusPatch<ActionStatus> = {},
): Outcome<ActivationStage, ActionStatus> {
  const verdict = decideEnd(status, order.type);
  return verdict.status === 'Successful'
    ? finish('Successful', verdict.message, patch)
    : fail('SomeNotSwitched', verdict.message, patch);
}

async function switchNamespace(
  parts: ActivationParts,
  order: Pick<Extract<ActivationOrder, { readonly do: 'switch' }>, 'type' | 'originals'> & {
    readonly namespace: string;
  },
  signal: AbortSignal,
): Promise<NamespaceOutcome> {
  const { namespace, type, originals } = order;
  const found = await parts.client.find(core.namespaces, { name: namespace }, { signal });
  if (found === undefined) {
    return { namespace, messages: [], failures: [`namespace ${namespace} does not exist`], skipped: [], unchanged: 0 };
  }
  if (type === 'activate') return { namespace, ...(await activateNamespace(parts, namespace, signal)) };
  return withWrongPlace({ namespace, ...(await deactivateNamespace(parts, { namespace, originals }, signal)) });
}

/** For `*`: every namespace with a workload that came by a migration. */
async function namespacesOf(
  client: KubeClient,
  order: Extract<ActivationOrder, { readonly do: 'switch' }>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (order.namespaces !== 'AllMigrated') return order.namespaces;
  const names = new Set<string>();
  const options = { labelSelector: `${storkNames.migrated}=true`, signal };
  const workloads: readonly AnyResource[] = [core.deployments, core.statefulSets, core.replicaSets, core.cronJobs];
  for (const resource of workloads) {
    for await (const { metadata } of client.list(resource, options)) {
      if (metadata.namespace !== undefined) names.add(metadata.namespace);
    }
  }
  if (names.size === 0) {
    throw new StorkError({
      code: 'NothingMigrated',
      message: 'No namespace of this cluster holds a workload that came by a migration',
      hint: 'Name the namespaces instead of "*".',
    });
  }
  return [...names].toSorted();
}
