/** Cluster-scoped names that applications need on the destination and that don't travel with them by themselves. Pure. */
import type { AnyObject } from '../../../../kube/client/client.ts';
import { at, textOf } from '../../../resources/fields.ts';
import { podSpecOf } from '../../../resources/pod-spec.ts';
import { refOf, textOfRef } from '../../../resources/resource-ref.ts';

export interface Reference {
  readonly kind: 'IngressClass' | 'PriorityClass' | 'RuntimeClass';
  readonly name: string;
  /** The first that needs it. */
  readonly neededBy: string;
}

/** Those that come along are left out, unless the destination refuses them. */
export function findReferences(
  objects: readonly AnyObject[],
  refused: readonly { readonly kind?: string | undefined; readonly name?: string | undefined }[] = [],
): readonly Reference[] {
  const stays = new Set(refused.map(({ kind, name }) => `${kind}/${name}`));
  const named = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  const coming = new Set(named.filter((key) => !stays.has(key)));
  const found = new Map<string, Reference>();
  for (const object of objects) {
    const spec = podSpecOf(object);
    const names = [
      { kind: 'IngressClass', name: object.kind === 'Ingress' ? at(object, ['spec', 'ingressClassName']) : undefined },
      { kind: 'PriorityClass', name: spec?.priorityClassName },
      { kind: 'RuntimeClass', name: spec?.runtimeClassName },
    ] as const;
    for (const { kind, name: value } of names) {
      const name = textOf(value);
      const key = `${kind}/${name}`;
      if (name === undefined || name === '' || name.startsWith('system-') || coming.has(key) || found.has(key))
        continue;
      found.set(key, { kind, name, neededBy: textOfRef(refOf(object)) });
    }
  }
  return [...found.values()];
}
