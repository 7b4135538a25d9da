/**
 * A validation rule that spans fields: a CEL expression for the API server, and the same thing in TypeScript for bytes
 * that no API server checks (peer messages, files, the fake API server). crds/v1alpha1/examples hold both to one verdict.
 */
export interface Rule {
  /** CEL over `self` (and `oldSelf` in a transition rule). */
  readonly cel: string;
  /** What a person reads: names the fields and what is allowed. */
  readonly message: string;
  /** The same condition. `old` is the stored value on update; a transition rule holds while there is none. */
  readonly holds: (self: unknown, old: unknown) => boolean;
}

/** A rule over a value of type `T`. `holds` may trust the type: it is asked only once the value has passed the rest. */
export function rule<T>(cel: string, message: string, holds: (self: T, old: T | undefined) => boolean): Rule {
  return {
    cel,
    message,
    holds: (self, old) => holds(assertChecked<T>(self), old === undefined ? undefined : assertChecked<T>(old)),
  };
}

/** The caller (parse.ts) has checked the value against the node that carries the rule. */
function assertChecked<T>(value: unknown): T {
  return value as T;
}
