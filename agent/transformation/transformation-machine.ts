/**
 * The ResourceTransformation controller: checks what the operations say, then what they make of the objects that are in the
 * namespace now, by dry runs that leave nothing behind. Objects that come later are transformed too when they migrate; one
 * that the rules do not fit is named there. A changed spec is checked again.
 */
import {
  type ResourceTransformation,
  type ResourceTransformationStatus,
  resourceTransformations,
} from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { defineMachine, type Machine, type StageContext, type Step } from '../../kube/runtime/machine.ts';
import { advance, fail, finish, type Outcome, type StatusPatch } from '../../kube/runtime/outcome.ts';
import { parseTransformation, type TransformRule } from '../resources/transformation/parse-transformation.ts';
import { checkObjects } from './check-objects.ts';
import { decideVerdict } from './decide-verdict.ts';

export type TransformationStage = 'Initial' | 'Checking';

export interface TransformationServices {
  /** Asks for the dry runs: an account that may create what applications consist of. */
  readonly trying: KubeClient;
}

type Result = Outcome<TransformationStage, ResourceTransformationStatus>;

export function transformationMachine(
  services: TransformationServices,
): Machine<ResourceTransformation, TransformationStage, ResourceTransformationStatus> {
  return defineMachine<ResourceTransformation, TransformationStage, ResourceTransformationStatus>({
    name: 'resourcetransformation',
    resource: resourceTransformations,
    initial: 'Initial',
    stages: {
      Initial: {
        does: 'Checks paths, types, values and operations.',
        to: ['Checking'],
        run: async ({ object }) => withRules(object, async () => advance('Checking', { resources: [] })),
      },
      Checking: {
        does: 'Transforms the objects that match in its namespace, as a server-side dry run.',
        to: ['End'],
        run: (context) => withRules(context.object, (rules) => runChecking(services, context, rules)),
      },
    },
    stageOf,
    statusFor,
  });
}

/** Pure. A verdict holds for the generation it was made of. */
export function stageOf({ metadata, status }: ResourceTransformation): TransformationStage | undefined {
  if (status === undefined || status.observedGeneration !== metadata.generation) return 'Initial';
  switch (status.status) {
    case 'Ready':
    case 'Failed':
      return undefined;
    case 'InProgress':
      return 'Checking';
    case '':
    case undefined:
      return 'Initial';
    default:
      return status.status satisfies never;
  }
}

function statusFor({
  next,
  outcome,
}: Step<
  ResourceTransformation,
  TransformationStage,
  ResourceTransformationStatus
>): StatusPatch<ResourceTransformationStatus> {
  if (next !== 'End') return { status: next === 'Checking' ? 'InProgress' : '' };
  return { status: outcome.do === 'fail' ? 'Failed' : 'Ready' };
}

async function withRules(
  object: ResourceTransformation,
  run: (rules: readonly TransformRule[]) => Promise<Result>,
): Promise<Result> {
  const parsed = parseTransformation(object.specs.transformSpecs);
  if (parsed.valid === 'Yes') return run(parsed.rules);
  const [first, ...others] = parsed.problems;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return fail('InvalidTransformation', `${first}${more}`, { resources: [] });
}

async function runChecking(
  services: TransformationServices,
  context: StageContext<ResourceTransformation>,
  rules: readonly TransformRule[],
): Promise<Result> {
  const { object, client, signal } = context;
  const { name, namespace = '' } = object.metadata;
  const checked = await checkObjects({ reading: client, trying: services.trying }, { name, namespace, rules }, signal);
  const verdict = decideVerdict(checked);
  const patch = { resources: verdict.resources };
  return verdict.failed === 'Yes'
    ? fail('TransformationFailed', verdict.message, patch)
    : finish('Ready', verdict.message, patch);
}
