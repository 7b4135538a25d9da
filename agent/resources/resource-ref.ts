/** Names an object for a person and for a status list: group, version, kind, namespace, name. */
import type { AnyObject, KubeObject } from '../../kube/client/client.ts';

export interface ResourceRef {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
}

/** `Group/Kind`; a core kind is `/Service`. The key of every table by kind. */
export type GroupKind = string;

export function refOf(object: KubeObject): ResourceRef {
  const { group, version } = splitApiVersion(object.apiVersion);
  return { group, version, kind: object.kind, namespace: object.metadata.namespace, name: object.metadata.name };
}

export const groupKindOf = (object: KubeObject): GroupKind =>
  `${splitApiVersion(object.apiVersion).group}/${object.kind}`;

/** Tells objects apart whatever version they are read in: `apps/Deployment shop/web`. */
export const keyOfRef = ({ group, kind, namespace = '', name }: Omit<ResourceRef, 'version'>): string =>
  `${group}/${kind} ${namespace}/${name}`;

/** Of the API server itself, not of a CustomResourceDefinition. */
export const isBuiltInGroup = (group: string): boolean => !group.includes('.') || group.endsWith('.k8s.io');

/** `service shop/mysql`, as messages name objects. */
export function textOfRef(ref: ResourceRef): string {
  const where = ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
  return `${ref.kind.toLowerCase()} ${where}`;
}

export function splitApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/');
  if (slash === -1) return { group: '', version: apiVersion };
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

export const isTrue = (object: AnyObject, annotation: string): boolean =>
  object.metadata.annotations?.[annotation] === 'true';
