/**
 * Writes one wave of objects on the destination, as the ServiceAccount that the pair's grant names: what that account may
 * not do fails by Kubernetes' own rules. Promises:
 * - Never writes over what did not come by this pair, never takes a field that another manager owns, never deletes or
 *   recreates: those are results with a reason.
 * - A new application never runs before it is activated; one that runs keeps its count.
 * - Repeating the call ends in the same state; an object that is as it should be is `Unchanged` and not written.
 * - With `plan`, the same decisions and the same calls, each as the server's dry run: nothing is written.
 * Only an unreachable API server and the caller's abort are thrown.
 */
import type { AnyObject, Impersonation, KubeClient, Resource } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import type { Clock } from '../../../kube/clock.ts';
import { isAlreadyExists, isConflict, StorkError } from '../../../kube/errors.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { diffObjects, type FieldChange } from '../diff-objects.ts';
import { setMeta, withField } from '../fields.ts';
import { findArgoCd } from '../gitops.ts';
import { fieldManagers } from '../names.ts';
import { groupKindOf, type ResourceRef, refOf } from '../resource-ref.ts';
import { withKeptSwitches } from '../switches.ts';
import { type ApplyDecision, type ApplyFacts, decideApply, leftAsIs, whyNotGranted } from './decide-apply.ts';
import { describeRefusal, isUnserved } from './describe-refusal.ts';
import { createResourceFinder, type FoundResource, type ResourceFinder } from './find-resource.ts';
import { lookAhead, type Sight, type Wanted } from './look-ahead.ts';
import { type Coming, comingResource, createUntriedPlanner, needsComing, type UntriedPlanner } from './plan-untried.ts';

export interface ApplyParts {
  /** The agent's own: it reads discovery and CRDs. */
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Who writes; see {@link identityOfServiceAccount}. */
  readonly identity: Impersonation;
  readonly limits?: ApplyLimits | undefined;
}

export interface ApplyLimits {
  /** Objects written at the same time. */
  readonly parallelObjects: number;
  /** Tries of one object when somebody else writes it meanwhile, or the server has no time. */
  readonly attempts: number;
  readonly pauseMs: number;
}

export const applyLimits: ApplyLimits = { parallelObjects: 8, attempts: 5, pauseMs: 300 };

export interface ApplyRequest extends ApplyFacts {
  readonly objects: readonly AnyObject[];
  /** Given: nothing is written. What earlier waves of the same plan would have made by then. */
  readonly plan?: Coming | undefined;
}

export type ApplyResult = 'Created' | 'Updated' | 'Unchanged' | 'Conflict' | 'Failed' | 'Skipped';

export interface AppliedObject {
  readonly ref: ResourceRef;
  readonly result: ApplyResult;
  /** One sentence, for anything but a plain Created, Updated or Unchanged. */
  readonly reason: string | undefined;
  /** Who keeps the destination's object in line with Git. */
  readonly managedBy?: string | undefined;
  /** Of a plan: the fields that would change. */
  readonly changes?: readonly FieldChange[] | undefined;
  /** Of a plan, `No`: the server could not be asked, because what the object needs comes before it. */
  readonly tried?: 'No' | undefined;
  /** `No`: the server does not know the object's kind. */
  readonly served?: 'No' | undefined;
}

/** Results come in the order of the objects. */
export async function applyObjects(
  parts: ApplyParts,
  asked: ApplyRequest,
  signal?: AbortSignal,
): Promise<readonly AppliedObject[]> {
  const request = { ...asked, argoCd: findArgoCd(await parts.client.discover({ signal })) };
  const limits = parts.limits ?? applyLimits;
  const finder = createResourceFinder(parts.client);
  const writer = parts.client.as(parts.identity);
  const untried = request.plan === undefined ? undefined : createUntriedPlanner(writer, request);
  const places = await mapLimit(
    request.objects,
    limits.parallelObjects,
    (object, stop) => findPlace({ ...parts, finder, request }, object, stop),
    signal,
  );
  const wanted = places.flatMap((place) => ('resource' in place ? [place] : []));
  const sightOf = await lookAhead(writer, wanted, signal);
  const applyOne = async (place: Place, stop: AbortSignal): Promise<AppliedObject> => {
    if (!('resource' in place)) return place;
    const { object, resource } = place;
    const write = { clock: parts.clock, limits, writer, resource, object, request, untried };
    return { ref: refOf(object), ...(await writeObject(write, sightOf(object), stop)) };
  };
  return mapLimit(places, limits.parallelObjects, applyOne, signal);
}

/** Where an object is written, or why it is not. */
type Place = Wanted | AppliedObject;

async function findPlace(
  parts: { readonly client: KubeClient; readonly finder: ResourceFinder; readonly request: ApplyRequest },
  object: AnyObject,
  signal: AbortSignal,
): Promise<Place> {
  const ref = refOf(object);
  const refused = whyNotGranted(object, parts.request.grant);
  if (refused !== undefined) {
    // A definition that is there needs no grant: it would not be changed with one.
    const isThere = groupKindOf(object) === definitionKind && (await hasDefinition(parts.client, object, signal));
    return isThere ? { ref, result: 'Unchanged', reason: leftAsIs } : { ref, result: 'Failed', reason: refused };
  }
  const found = orComing(await parts.finder.find(object, signal), object, parts.request.plan);
  if (found.found === 'No') return { ref, result: 'Failed', reason: found.reason, served: 'No' };
  if (found.resource.namespaced || object.metadata.namespace === undefined) return { object, resource: found.resource };
  // A namespace on a cluster-scoped object would pass for one of the granted namespaces.
  return { ref, result: 'Failed', reason: `kind ${object.kind} is cluster-scoped, and the object names a namespace` };
}

const definitionKind = 'apiextensions.k8s.io/CustomResourceDefinition';

async function hasDefinition(client: KubeClient, { metadata }: AnyObject, signal: AbortSignal): Promise<boolean> {
  return (await client.find(core.customResourceDefinitions, { name: metadata.name }, { signal })) !== undefined;
}

function orComing(found: FoundResource, object: AnyObject, plan: Coming | undefined): FoundResource {
  const resource = found.found === 'Yes' || plan === undefined ? undefined : comingResource(object, plan);
  return resource === undefined ? found : { found: 'Yes', resource };
}

/** `agent-namespace/name` as the user that its token would be; its groups are added by the API server. */
export function identityOfServiceAccount(account: string): Impersonation {
  const [namespace, name] = account.split('/');
  return { user: `system:serviceaccount:${namespace}:${name}` };
}

interface Write {
  readonly clock: Clock;
  readonly limits: ApplyLimits;
  readonly writer: KubeClient;
  readonly resource: Resource;
  readonly object: AnyObject;
  readonly request: ApplyRequest;
  readonly untried: UntriedPlanner | undefined;
}

type WriteOutcome = Omit<AppliedObject, 'ref'>;

/** `sight`: what was there a moment ago; a second try looks again. */
async function writeObject(write: Write, sight: Sight, signal: AbortSignal): Promise<WriteOutcome> {
  const { writer, resource, object, limits, request, untried } = write;
  const missing = request.plan === undefined ? undefined : needsComing(object, request.plan);
  if (untried !== undefined && missing !== undefined) return untried.plan({ object, resource, missing }, signal);
  const { namespace, name } = object.metadata;
  let wasRefusedAsThere = false;
  for (let attempt = 1; ; attempt += 1) {
    const birth: Birth = wasRefusedAsThere ? 'Plain' : 'OnlyIfAbsent';
    let isBirth = false;
    try {
      const isKnown = attempt === 1 && sight.seen === 'Yes';
      const live = isKnown ? sight.live : await writer.find(resource, { namespace, name }, { signal });
      const decision = decideApply(object, live, write.request);
      isBirth = decision.do === 'create';
      return await carryOut(write, { decision, live, birth }, signal);
    } catch (error) {
      signal.throwIfAborted();
      const refusal = describeRefusal(error);
      wasRefusedAsThere = isBirth && birth === 'OnlyIfAbsent' && isConflict(error);
      const isThere = wasRefusedAsThere || (isBirth && isAlreadyExists(error));
      const mayRepeat = refusal === 'Repeat' || isThere;
      if (mayRepeat && attempt < limits.attempts) {
        // What was only taken for absent is looked at at once.
        const mayLookNow = isThere && attempt === 1;
        if (!mayLookNow) await write.clock.sleep(limits.pauseMs * 2 ** (attempt - 1), signal);
        continue;
      }
      if (typeof refusal !== 'string') return refusal;
      if (refusal === 'Repeat' && isConflict(error)) {
        return { result: 'Failed', reason: `it was changed by others ${limits.attempts} times while it was written` };
      }
      if (isUnserved(error))
        return { result: 'Failed', reason: 'the destination does not serve its kind yet', served: 'No' };
      throw error instanceof StorkError
        ? error
        : new StorkError({ code: 'ApplyFailed', message: 'Writing an object failed', cause: error });
    }
  }
}

/**
 * `OnlyIfAbsent`: refused when somebody made it meanwhile. `Plain`: after the server refused that as a conflict although a look
 * then found nothing, as one would that takes no version of an absent object.
 */
type Birth = 'OnlyIfAbsent' | 'Plain';

async function carryOut(
  write: Write,
  at: { readonly decision: ApplyDecision; readonly live: AnyObject | undefined; readonly birth: Birth },
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const { decision, live } = at;
  switch (decision.do) {
    case 'leave':
      return { result: decision.result, reason: decision.reason, managedBy: decision.managedBy };
    case 'create':
      await create(write, { decision, birth: at.birth }, signal);
      return { result: 'Created', reason: undefined };
    case 'merge': {
      const patched = await patch(write, { body: decision.patch, live }, signal);
      const changes = isPlanned(write) && live !== undefined ? diffObjects(live, [patched]) : undefined;
      return { result: 'Updated', reason: decision.reason, changes };
    }
    case 'update': {
      const written = await update(write, { decision, live }, signal);
      // By content: a new version may tell of nothing but another owner of the same fields.
      const changes = live === undefined ? [] : diffObjects(live, written);
      const result = changes.length > 0 ? 'Updated' : 'Unchanged';
      return { result, reason: undefined, changes: isPlanned(write) ? changes : undefined };
    }
    default:
      return decision satisfies never;
  }
}

const isPlanned = ({ request }: Write): boolean => request.plan !== undefined;

/**
 * Created at rest, in one write. The resources manager owns the switches until the object is first updated: whoever starts
 * it changes their values and so takes them over.
 */
async function create(
  write: Write,
  { decision, birth }: { readonly decision: Extract<ApplyDecision, { readonly do: 'create' }>; readonly birth: Birth },
  signal: AbortSignal,
): Promise<void> {
  const options = { ...writeOptions(write), signal };
  if (decision.by === 'Create') await write.writer.create(write.resource, decision.object, options);
  else if (birth === 'Plain') await write.writer.apply(write.resource, decision.object, options);
  else await write.writer.apply(write.resource, onlyIfAbsent(decision.object), options);
}

/**
 * Applying makes what is absent and merges into what is there. A version that no object has refuses the second: servers
 * compare it with the version of an object that is there, and ignore it where none is.
 */
const onlyIfAbsent = (object: AnyObject): AnyObject =>
  setMeta(object, { ...object.metadata, resourceVersion: versionOfNone });

const versionOfNone = String(Number.MAX_SAFE_INTEGER);

const writeOptions = (write: Write) => ({
  fieldManager: fieldManagers.resources,
  dryRun: isPlanned(write) ? ('All' as const) : undefined,
});

/** Resolves to the object after each of its writes. */
async function update(
  write: Write,
  at: { readonly decision: Extract<ApplyDecision, { readonly do: 'update' }>; readonly live: AnyObject | undefined },
  signal: AbortSignal,
): Promise<readonly AnyObject[]> {
  const { writer, resource } = write;
  const { decision, live } = at;
  if (decision.by === 'Patch') {
    const { apiVersion: _apiVersion, kind: _kind, ...body } = decision.base;
    return [await patch(write, { body, live }, signal)];
  }
  const handed =
    decision.switches === undefined ? [] : [await handOver(write, { switches: decision.switches, live }, signal)];
  // A dry run hands nothing over, so that without them the next one would seem to drop the switches.
  const isDry = isPlanned(write) && live !== undefined;
  const same = ofSameUid(isDry ? withKeptSwitches(decision.base, live) : decision.base, live);
  return [...handed, await writer.apply(resource, same, { ...writeOptions(write), signal })];
}

/** One that was deleted meanwhile is not made by an update: without its switches it would start. */
function ofSameUid(base: AnyObject, live: AnyObject | undefined): AnyObject {
  const uid = live?.metadata.uid;
  return uid === undefined ? base : setMeta(base, { ...base.metadata, uid });
}

/**
 * Forced, because it only ever writes the resting value that the field has, and Stork's own annotation. Pinned to the
 * version that was seen resting: whoever starts the application meanwhile wins.
 */
async function handOver(
  write: Write,
  at: { readonly switches: AnyObject; readonly live: AnyObject | undefined },
  signal: AbortSignal,
): Promise<AnyObject> {
  const { switches, live } = at;
  const resourceVersion = live?.metadata.resourceVersion;
  const pinned = setMeta(switches, {
    ...switches.metadata,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  });
  const by = { fieldManager: fieldManagers.activation, conflicts: 'Force' } as const;
  return write.writer.apply(write.resource, pinned, { ...writeOptions(write), ...by, signal });
}

async function patch(
  write: Write,
  at: { readonly body: Readonly<Record<string, unknown>>; readonly live: AnyObject | undefined },
  signal: AbortSignal,
): Promise<AnyObject> {
  const { namespace, name } = write.object.metadata;
  const body = withField(at.body, ['metadata', 'resourceVersion'], at.live?.metadata.resourceVersion);
  const options = { ...writeOptions(write), signal };
  return write.writer.patch(write.resource, { namespace, name }, { type: 'merge', body }, options);
}
