/** What an Action of type activate or deactivate means: which namespaces, in which order, and how it ended. Pure. */
import type { Action, ActionStatus } from '../../crds/v1alpha1/index.ts';
import type { Originals } from '../resources/activation.ts';

export type ActivationOrder =
  | {
      readonly do: 'switch';
      readonly type: 'activate' | 'deactivate';
      readonly namespaces: readonly string[] | 'AllMigrated';
      readonly originals: Originals;
    }
  | { readonly do: 'refuse'; readonly reason: string; readonly message: string };

/** An Action outside the agent's namespace reaches its own namespace only (as a Migration there does). */
export function decideOrder(action: Action, agentNamespace: string): ActivationOrder {
  const { actionType, actionParameter } = action.spec;
  if (actionType !== 'activate' && actionType !== 'deactivate') {
    const message = `actionType ${actionType} is not carried out by this version; activate and deactivate are`;
    return { do: 'refuse', reason: 'ActionNotSupported', message };
  }
  const parameter =
    actionType === 'activate' ? actionParameter?.activateParameter : actionParameter?.deactivateParameter;
  const namespaces = parameter?.namespaces ?? [];
  const own = action.metadata.namespace;
  const foreign = own === agentNamespace ? undefined : namespaces.find((name) => name !== own);
  if (foreign !== undefined) {
    const what = foreign === '*' ? 'all namespaces' : `namespace ${foreign}`;
    const message = `an Action in namespace ${own} can't ${actionType} ${what}; create it in ${agentNamespace}`;
    return { do: 'refuse', reason: 'NamespaceNotAllowed', message };
  }
  if (namespaces.length === 0) {
    return {
      do: 'refuse',
      reason: 'NoNamespaces',
      message: `spec.actionParameter.${actionType}Parameter names no namespace`,
    };
  }
  const originals = actionParameter?.deactivateParameter?.includeOriginals === true ? 'Stop' : 'Leave';
  const all = namespaces.includes('*') ? 'AllMigrated' : [...new Set(namespaces)];
  return { do: 'switch', type: actionType, namespaces: all, originals };
}

export type NamespaceSummary = NonNullable<NonNullable<ActionStatus['summary']>['activationSummary']>[number];

/** Namespaces of the order that the status doesn't tell of yet. */
export function remainingNamespaces(all: readonly string[], status: ActionStatus | undefined): readonly string[] {
  const told = new Set(status?.summary?.activationSummary?.map(({ namespace }) => namespace));
  return all.filter((namespace) => !told.has(namespace));
}

export interface NamespaceOutcome {
  readonly namespace: string;
  readonly messages: readonly string[];
  readonly failures: readonly string[];
  readonly skipped: readonly string[];
  readonly unchanged: number;
}

/** Nothing there came by a migration, and something runs on: whoever asked most likely meant another cluster. */
export function withWrongPlace(outcome: NamespaceOutcome): NamespaceOutcome {
  const { namespace, messages, skipped, unchanged, failures } = outcome;
  if (skipped.length === 0 || messages.length + unchanged + failures.length > 0) return outcome;
  const what = skipped.length === 1 ? '1 workload runs' : `${skipped.length} workloads run`;
  const failure = `nothing in namespace ${namespace} came by a migration, and ${what} on; is this the right cluster? --include-originals (deactivateParameter.includeOriginals) stops what is there`;
  return { ...outcome, failures: [failure] };
}

const linesKept = 1000;
const failuresNamed = 3;

/** The status' lists with one more namespace told. */
export function withOutcome(
  status: ActionStatus | undefined,
  outcome: NamespaceOutcome,
): Pick<ActionStatus, 'summary' | 'messages'> {
  const { namespace, failures } = outcome;
  const summary: NamespaceSummary = {
    namespace,
    status: failures.length === 0 ? 'Successful' : 'Failed',
    reason: reasonOf(outcome),
  };
  const messages = [
    ...(status?.messages ?? []),
    ...outcome.messages,
    ...outcome.skipped,
    ...failures.map((failure) => `Failed: ${failure}`),
  ];
  const cut = messages.length - linesKept;
  const kept = cut > 0 ? [...messages.slice(0, linesKept), `… and ${cut} more`] : messages;
  return {
    summary: { ...status?.summary, activationSummary: [...(status?.summary?.activationSummary ?? []), summary] },
    messages: kept,
  };
}

/** How the whole Action ended, once every namespace is told of. */
export function decideEnd(status: ActionStatus | undefined, type: 'activate' | 'deactivate') {
  const told = status?.summary?.activationSummary ?? [];
  const failed = told.filter((entry) => entry.status === 'Failed');
  const what = type === 'activate' ? 'activated' : 'deactivated';
  if (failed.length === 0) {
    return { status: 'Successful', message: `${told.length} of ${told.length} namespaces ${what}` } as const;
  }
  const named = failed.slice(0, failuresNamed).map((entry) => `${entry.namespace}: ${entry.reason}`);
  const message = `${told.length - failed.length} of ${told.length} namespaces ${what}; ${named.join('; ')}`;
  return { status: 'Failed', message } as const;
}

function reasonOf({ messages, failures, skipped, unchanged }: NamespaceOutcome): string {
  if (failures.length > 0) {
    const more = failures.length > failuresNamed ? `; and ${failures.length - failuresNamed} more` : '';
    return `${failures.slice(0, failuresNamed).join('; ')}${more}`;
  }
  const left = skipped.length === 0 ? '' : `, ${skipped.length} left running (not migrated)`;
  return `${messages.length} updated, ${unchanged} as they should be${left}`;
}
