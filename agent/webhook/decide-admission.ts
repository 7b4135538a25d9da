/**
 * What admission does with a request for an operation. Creating it, or changing its spec, marks it with who does so: an
 * operation runs with the rights of whoever wrote its spec. Any other change leaves the mark as it is; changing the mark
 * itself is refused. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { requesterAnnotation } from '../../crds/agent-names.ts';
import { isRecord } from '../../crds/schema/apply-defaults.ts';
import type { JsonPatchOperation } from '../../kube/client/client.ts';
import { type Requester, renderRequester, requesterLimitBytes } from '../requester/requester.ts';

export interface AdmissionRequest {
  readonly operation: string;
  readonly userInfo: Requester;
  readonly object?: unknown;
  readonly oldObject?: unknown;
}

export type AdmissionDecision =
  | { readonly do: 'allow'; readonly patch: readonly JsonPatchOperation[] }
  | { readonly do: 'refuse'; readonly message: string };

/** Before other admission: writes the mark. */
export function decideMutation(request: AdmissionRequest): AdmissionDecision {
  const given = stampOf(request.object);
  if (isMarkedAnew(request)) {
    const stamp = renderRequester(request.userInfo);
    if (Buffer.byteLength(stamp) > requesterLimitBytes)
      return refuse(`User ${request.userInfo.username} has too many groups to be recorded as the requester`);
    return given === stamp ? allow([]) : allow(setStamp(request.object, stamp));
  }
  const held = stampOf(request.oldObject);
  if (given === held) return allow([]);
  // Left out, as `kubectl replace` of a manifest leaves it out, it is put back.
  return given === undefined && held !== undefined ? allow(setStamp(request.object, held)) : refuse(stampChanged);
}

/** After all other admission: the object is stored with the right mark, or not at all. */
export function decideValidation(request: AdmissionRequest): AdmissionDecision {
  const wanted = isMarkedAnew(request) ? renderRequester(request.userInfo) : stampOf(request.oldObject);
  return stampOf(request.object) === wanted ? allow([]) : refuse(stampChanged);
}

const stampChanged = `The annotation ${requesterAnnotation} says who asked for the operation and can't be changed. Leave it out.`;

function isMarkedAnew({ operation, object, oldObject }: AdmissionRequest): boolean {
  return operation === 'CREATE' || !isDeepStrictEqual(specOf(object), specOf(oldObject));
}

const specOf = (object: unknown): unknown => (isRecord(object) ? object.spec : undefined);

function annotationsOf(object: unknown): Readonly<Record<string, unknown>> | undefined {
  const metadata = isRecord(object) ? object.metadata : undefined;
  const annotations = isRecord(metadata) ? metadata.annotations : undefined;
  return isRecord(annotations) ? annotations : undefined;
}

function stampOf(object: unknown): string | undefined {
  const stamp = annotationsOf(object)?.[requesterAnnotation];
  return typeof stamp === 'string' ? stamp : undefined;
}

function setStamp(object: unknown, value: string): readonly JsonPatchOperation[] {
  const path = `/metadata/annotations/${requesterAnnotation.replaceAll('/', '~1')}`;
  const stamped = { op: 'add', path, value } as const;
  if (annotationsOf(object) !== undefined) return [stamped];
  return [{ op: 'add', path: '/metadata/annotations', value: {} }, stamped];
}

const allow = (patch: readonly JsonPatchOperation[]): AdmissionDecision => ({ do: 'allow', patch });
const refuse = (message: string): AdmissionDecision => ({ do: 'refuse', message });
