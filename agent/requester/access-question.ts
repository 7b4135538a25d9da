/** A question about somebody's rights, as Kubernetes' authorizers know them, and how it reads. Pure. */
export interface AccessQuestion {
  readonly verb: string;
  readonly group: string;
  /** Plural, as in a Role. */
  readonly resource: string;
  readonly subresource?: string | undefined;
  /** Absent: at the cluster's scope, or in all namespaces. */
  readonly namespace?: string | undefined;
  /** Absent: any. */
  readonly name?: string | undefined;
}

/** Whoever may do this may do everything there. */
export const everything = (namespace?: string): AccessQuestion => ({
  verb: '*',
  group: '*',
  resource: '*',
  namespace,
});

/** `create pods/exec in namespace shop`. */
export function describeQuestion({ verb, group, resource, subresource, namespace, name }: AccessQuestion): string {
  const kind = `${resource}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
  const which = name === undefined ? kind : `${kind} ${name}`;
  return namespace === undefined ? `${verb} ${which}` : `${verb} ${which} in namespace ${namespace}`;
}
