/**
 * stashCR: a custom resource whose operator would act on it at once travels inside a ConfigMap, and becomes an object when
 * the application is activated. The ConfigMap is one for the object's life, so repeated migrations update it. Pure.
 */
import { createHash } from 'node:crypto';
import type { AnyObject } from '../../../kube/client/client.ts';
import { at, isFields, textOf } from '../fields.ts';
import { storkNames } from '../names.ts';
import { groupKindOf, isBuiltInGroup, refOf, splitApiVersion, textOfRef } from '../resource-ref.ts';

const dataKey = 'object.json';

export function stashObject(object: AnyObject): AnyObject {
  const { namespace, name } = object.metadata;
  const key = createHash('sha256')
    .update(`${groupKindOf(object)}/${name}`)
    .digest('hex')
    .slice(0, 16);
  const { [storkNames.transformation]: transformedBy, ...annotations } = object.metadata.annotations ?? {};
  const stashed = { ...object, metadata: { ...object.metadata, annotations } };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: `stork-stash-${key}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [storkNames.stash]: 'true' },
      annotations: {
        [storkNames.stashOf]: textOfRef(refOf(object)),
        ...(transformedBy === undefined ? {} : { [storkNames.transformation]: transformedBy }),
      },
    },
    data: { [dataKey]: JSON.stringify(stashed) },
  };
}

export const isStash = ({ kind, metadata }: AnyObject): boolean =>
  kind === 'ConfigMap' && metadata.labels?.[storkNames.stash] === 'true';

export const contentOf = (stash: AnyObject): string => textOf(at(stash, ['data', dataKey])) ?? '';

/** What is stashed, if it may be made from a ConfigMap: a custom resource of the same namespace. */
export function readStash(stash: AnyObject): AnyObject | undefined {
  const object = parseObject(contentOf(stash));
  if (object === undefined || object.metadata.namespace !== stash.metadata.namespace) return undefined;
  const { group } = splitApiVersion(object.apiVersion);
  return isBuiltInGroup(group) ? undefined : object;
}

function parseObject(text: string): AnyObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isFields(value) || !isFields(value.metadata)) return undefined;
    const { apiVersion, kind, metadata } = value;
    const { name, namespace } = metadata;
    if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
    if (typeof name !== 'string' || typeof namespace !== 'string') return undefined;
    return { ...value, apiVersion, kind, metadata: { ...metadata, name, namespace } };
  } catch {
    return undefined;
  }
}
