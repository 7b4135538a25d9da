/**
 * podsPath of an ApplicationRegistration: some operators stop minding their pods when they are suspended and leave them
 * running, so the pods that the object's status lists are deleted once it rests. Idempotent; also told when repeated.
 */
import type { RegisteredResource } from '../../crds/v1alpha1/index.ts';
import type { AnyObject, KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { renderError, StorkError } from '../../kube/errors.ts';
import { at, itemsOf, textOf } from './fields.ts';
import { partsOf } from './registrations/suspend-options.ts';
import { refOf, textOfRef } from './resource-ref.ts';

export interface EndedPods {
  readonly messages: readonly string[];
  readonly failure: string | undefined;
}

export async function endPods(
  client: KubeClient,
  object: AnyObject,
  registration: RegisteredResource | undefined,
  signal?: AbortSignal,
): Promise<EndedPods> {
  const path = partsOf(registration?.podsPath);
  const { namespace } = object.metadata;
  const messages: string[] = [];
  if (path.length === 0) return { messages, failure: undefined };
  for (const name of itemsOf(at(object, path)).flatMap((item) => textOf(item) ?? [])) {
    try {
      const pod = await client.find(core.pods, { namespace, name }, { signal });
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
      await client.delete(core.pods, { namespace, name }, { uid: pod.metadata.uid, signal });
      messages.push(`Deleted pod ${namespace}/${name} of ${textOfRef(refOf(object))}`);
    } catch (error) {
      if (!(error instanceof StorkError) || error.retryable) throw error;
      return { messages, failure: `pod ${namespace}/${name} of ${textOfRef(refOf(object))}: ${renderError(error)}` };
    }
  }
  return { messages, failure: undefined };
}
