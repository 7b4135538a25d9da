/**
 * Objects of our kinds that are there already, perhaps a former Stork's, and would not fit our schemas: the API server
 * drops unknown fields the next time they are written, and refuses a write that breaks a rule.
 */
import { checkNode } from '../../crds/schema/index.ts';
import { allKinds } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { isNotFound } from '../../kube/errors.ts';

/** A person reads a few; the rest is like them. */
const maxMisfits = 20;

/** One line an object: `Migration shop/m1: spec.namspaces is not a field`. Changes nothing. */
export async function findMisfits(client: KubeClient, signal: AbortSignal): Promise<readonly string[]> {
  const misfits: string[] = [];
  for (const kind of allKinds) {
    try {
      for await (const object of client.list(kind, { signal })) {
        const { issues } = checkNode(kind.schema.node, object, { unknownFields: 'Refuse' });
        const [first] = issues;
        if (first === undefined) continue;
        const { namespace, name } = object.metadata;
        misfits.push(
          `${kind.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}: ${first.path} ${first.message}`,
        );
        if (misfits.length >= maxMisfits) return misfits;
      }
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return misfits;
}
