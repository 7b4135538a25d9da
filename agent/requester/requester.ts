/**
 * Who asked for an operation, as the admission webhook wrote it on the object. What was there before the webhook guarded
 * this cluster could have been written by anybody, and counts as nobody's. Pure.
 */
import { guardSettlesMs, requesterAnnotation } from '../../crds/agent-names.ts';
import { type Infer, list, map, object, parse, required, SchemaError, string } from '../../crds/schema/index.ts';
import type { ObjectMeta } from '../../kube/client/client.ts';

const text = () => string({ maxLength: 65_536 });

/** As `userInfo` of an admission request, and the spec of a SubjectAccessReview. */
export const requesterSchema = object({
  username: required(string({ minLength: 1, maxLength: 65_536 })),
  uid: text(),
  groups: list(text(), { maxItems: 10_000 }),
  extra: map(list(text(), { maxItems: 10_000 }), { maxProperties: 1000 }),
});
export type Requester = Infer<typeof requesterSchema>;

/** Kubernetes lets all annotations of an object have 256 KiB together. */
export const requesterLimitBytes = 64 * 1024;

/** Always the same text for the same requester. */
export function renderRequester({ username, uid, groups, extra }: Requester): string {
  const sorted = Object.entries(extra ?? {}).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify({
    username,
    ...(uid === undefined || uid === '' ? {} : { uid }),
    groups: groups ?? [],
    ...(sorted.length === 0 ? {} : { extra: Object.fromEntries(sorted) }),
  });
}

export type RequesterDecision =
  | { readonly known: 'Yes'; readonly requester: Requester }
  | { readonly known: 'No'; readonly code: 'RequesterUnknown'; readonly message: string; readonly hint: string };

export interface RequesterFacts {
  /** `migration shop/m1`. */
  readonly what: string;
  readonly metadata: Pick<ObjectMeta, 'annotations' | 'creationTimestamp' | 'name' | 'namespace'>;
  /** When the younger of the two webhook configurations was made; `undefined` when one is missing. */
  readonly guardedSince: Date | undefined;
}

export function decideRequester({ what, metadata, guardedSince }: RequesterFacts): RequesterDecision {
  if (guardedSince === undefined)
    return unknown(
      `Nobody can say who asked for ${what}: the admission webhook of stork is not installed`,
      'Install it with `kubectl stork install`, then ask again.',
    );
  const stamp = metadata.annotations?.[requesterAnnotation];
  const createdMs = Date.parse(metadata.creationTimestamp ?? '');
  if (!(createdMs > guardedSince.getTime() + guardSettlesMs))
    return unknown(
      `Nobody can say who asked for ${what}: it is older than the admission webhook that guards this cluster`,
      askAgain(what, metadata),
    );
  const requester = stamp === undefined ? undefined : readRequester(stamp);
  if (requester !== undefined) return { known: 'Yes', requester };
  return unknown(
    `Nobody can say who asked for ${what}: it does not carry the annotation ${requesterAnnotation}`,
    askAgain(what, metadata),
  );
}

/** Nobody can vouch for what is there: an annotation could say anything. Who asks anew is known. */
const askAgain = (what: string, { name, namespace }: Pick<ObjectMeta, 'name' | 'namespace'>): string =>
  what.startsWith('migration ')
    ? `Whoever wants it can ask for the same in their own name: kubectl stork repeat migration ${name} -n ${namespace}. What has arrived is not sent again.`
    : 'Delete it and create it again.';

const unknown = (message: string, hint: string): RequesterDecision => ({
  known: 'No',
  code: 'RequesterUnknown',
  message,
  hint,
});

/** As the stamp says it, to be told only; who may do what is asked by {@link decideRequester}. */
export function requesterNameOf(metadata: Pick<ObjectMeta, 'annotations'>): string | undefined {
  const stamp = metadata.annotations?.[requesterAnnotation];
  return stamp === undefined ? undefined : readRequester(stamp)?.username;
}

/** `undefined` when the text is not what the webhook writes. */
function readRequester(text: string): Requester | undefined {
  if (text.length > requesterLimitBytes) return undefined;
  try {
    return parse(requesterSchema, JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof SchemaError) return undefined;
    throw error;
  }
}
