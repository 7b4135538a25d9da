/**
 * `AdmissionReview` v1 as the API server sends it and expects it back: parsed with limits, since anybody in the cluster's
 * network can call, and answered so that the API server shows people our sentence. Pure.
 */
import { anything, type Infer, object, oneOf, parse, required, string } from '../../crds/schema/index.ts';
import { requesterSchema } from '../requester/requester.ts';
import type { AdmissionDecision, AdmissionRequest } from './decide-admission.ts';

const reviewSchema = object({
  apiVersion: required(oneOf(['admission.k8s.io/v1'])),
  kind: required(oneOf(['AdmissionReview'])),
  request: required(
    object({
      uid: required(string({ minLength: 1, maxLength: 128 })),
      operation: required(string({ maxLength: 16 })),
      userInfo: required(requesterSchema),
      object: anything(),
      oldObject: anything(),
    }),
  ),
});
type Review = Infer<typeof reviewSchema>;

/** @throws SyntaxError, SchemaError */
export function readReview(text: string): Review['request'] {
  return parse(reviewSchema, JSON.parse(text)).request;
}

export function answerReview(
  request: AdmissionRequest & { readonly uid: string },
  decision: AdmissionDecision,
): { readonly [field: string]: unknown } {
  const { uid } = request;
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, ...verdict(decision) } };
}

function verdict(decision: AdmissionDecision) {
  if (decision.do === 'refuse') return { allowed: false, status: { code: 403, message: decision.message } };
  if (decision.patch.length === 0) return { allowed: true };
  const patch = Buffer.from(JSON.stringify(decision.patch)).toString('base64');
  return { allowed: true, patchType: 'JSONPatch', patch };
}
