/** Names as the API server takes them, checked before anything is made. Pure. */
import { StorkError } from '../kube/errors.ts';

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = new RegExp(`^${label}(\\.${label})*$`);

/** @throws StorkError `BadUsage` naming what is wrong */
export function checkName(name: string): void {
  if (name.length <= 253 && subdomain.test(name)) return;
  throw invalid(
    'Name',
    name,
    "lower case letters, digits, '-' and '.', beginning and ending with a letter or digit, 253 at most",
  );
}

/** @throws StorkError `BadUsage` naming what is wrong */
export function checkNamespace(namespace: string): void {
  if (namespace.length <= 63 && new RegExp(`^${label}$`).test(namespace)) return;
  throw invalid(
    'Namespace',
    namespace,
    "lower case letters, digits and '-', beginning and ending with a letter or digit, 63 at most",
  );
}

function invalid(what: string, given: string, rule: string): StorkError {
  return new StorkError({ code: 'BadUsage', message: `the ${what} "${given}" is not valid: it must be ${rule}` });
}
