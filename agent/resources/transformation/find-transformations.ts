/**
 * The ResourceTransformation that a migration's spec.transformSpecs names, for each of its namespaces: the one of that name
 * in the namespace itself (as in Stork), else the one beside the Migration, which also covers cluster-scoped objects.
 * Namespaces found by selectors count like named ones.
 */
import { type ResourceTransformation, resourceTransformations } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject, KubeClient } from '../../../kube/client/client.ts';
import { StorkError } from '../../../kube/errors.ts';
import { groupKindOf } from '../resource-ref.ts';
import { parseTransformation } from './parse-transformation.ts';
import { type TransformOutcome, transformByRules } from './transform-by-rules.ts';

export interface TransformationRequest {
  /** spec.transformSpecs; without one nothing is transformed. */
  readonly name: string | undefined;
  /** The Migration's namespace. */
  readonly home: string;
  /** Every namespace that is migrated. */
  readonly namespaces: readonly string[];
}

export type Transformer = (object: AnyObject) => TransformOutcome;

export type FoundTransformations =
  | { readonly ready: 'Yes'; readonly transform: Transformer }
  /** They are being checked. */
  | { readonly ready: 'Soon'; readonly message: string }
  | { readonly ready: 'No'; readonly code: string; readonly message: string; readonly hint: string };

export async function findTransformations(
  client: KubeClient,
  request: TransformationRequest,
  signal?: AbortSignal,
): Promise<FoundTransformations> {
  if (request.name === undefined) return { ready: 'Yes', transform: () => ({ did: 'Nothing' }) };
  const found: ResourceTransformation[] = [];
  const options = { fieldSelector: `metadata.name=${request.name}`, signal };
  for await (const one of client.list(resourceTransformations, options)) found.push(one);
  return decideTransformations(found, { ...request, name: request.name });
}

/** @throws StorkError when they can't be used, retryable while they are being checked */
export async function getTransformer(
  client: KubeClient,
  request: TransformationRequest,
  signal?: AbortSignal,
): Promise<Transformer> {
  const found = await findTransformations(client, request, signal);
  switch (found.ready) {
    case 'Yes':
      return found.transform;
    case 'Soon':
      throw new StorkError({ code: 'TransformationNotReady', message: found.message, retryable: true });
    case 'No':
      throw new StorkError(found);
    default:
      return found satisfies never;
  }
}

/** Pure. */
export function decideTransformations(
  found: readonly ResourceTransformation[],
  { name, home, namespaces }: TransformationRequest & { readonly name: string },
): FoundTransformations {
  const byNamespace = new Map(found.map((one) => [one.metadata.namespace ?? '', one]));
  const meant = (namespace: string) => byNamespace.get(namespace) ?? byNamespace.get(home);
  const lacking = namespaces.find((namespace) => meant(namespace) === undefined);
  if (lacking !== undefined) {
    const places = lacking === home ? home : `${lacking} or ${home}`;
    return {
      ready: 'No',
      code: 'TransformationNotFound',
      message: `ResourceTransformation ${name} (spec.transformSpecs) does not exist in namespace ${places}`,
      hint: `Create it: kubectl stork create resourcetransformation -n ${lacking} -f FILE.`,
    };
  }
  const used = new Set([...namespaces, home].map(meant).filter((one) => one !== undefined));
  const refusal = [...used].map(whyUnusable).find((reason) => reason !== undefined);
  if (refusal !== undefined) return refusal;
  const rules = new Map([...used].map((one) => [one, rulesOf(one)]));
  return {
    ready: 'Yes',
    transform(object) {
      const transformation = meant(placeOf(object) ?? home);
      const known = transformation === undefined ? undefined : rules.get(transformation);
      return known === undefined ? { did: 'Nothing' } : transformByRules(object, { name, rules: known });
    },
  };
}

function whyUnusable(
  one: ResourceTransformation,
): Exclude<FoundTransformations, { readonly ready: 'Yes' }> | undefined {
  const about = `ResourceTransformation ${one.metadata.namespace}/${one.metadata.name}`;
  const { status, observedGeneration, conditions } = one.status ?? {};
  const isJudged = observedGeneration === one.metadata.generation && (status === 'Ready' || status === 'Failed');
  if (!isJudged) return { ready: 'Soon', message: `${about} is still being checked` };
  if (status === 'Ready') return undefined;
  const reason = conditions?.find(({ type }) => type === 'Succeeded')?.message ?? '';
  return {
    ready: 'No',
    code: 'TransformationFailed',
    message: `${about} is not Ready${reason === '' ? '' : `: ${reason}`}`,
    hint: 'Correct it; it is checked again at once.',
  };
}

/** A Ready one was found to be valid. */
function rulesOf(one: ResourceTransformation) {
  const parsed = parseTransformation(one.specs.transformSpecs);
  return parsed.valid === 'Yes' ? parsed.rules : [];
}

const placeOf = (object: AnyObject): string | undefined =>
  groupKindOf(object) === '/Namespace' ? object.metadata.name : object.metadata.namespace;
