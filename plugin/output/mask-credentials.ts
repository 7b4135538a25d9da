/** Credentials that manifests carry inline (Stork's ClusterPairs do) are not shown. Pure. */

const masked = '(masked)';

/** Fields whose text is a credential, wherever they are. */
const secretFields: ReadonlySet<string> = new Set([
  'token',
  'client-key-data',
  'password',
  'access-token',
  'id-token',
  'refresh-token',
  'client-secret',
]);

/** Of a kubeconfig's `exec` and `auth-provider`: any of these may be one. */
const secretParts: ReadonlySet<string> = new Set(['args', 'env', 'config']);

/** What `kubectl apply` keeps: the manifest again, as text. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

export function maskCredentials<T>(value: T): T {
  return JSON.parse(maskedJson(value));
}

function maskedJson(value: unknown): string {
  return JSON.stringify(value, (field, item: unknown) => {
    if (field === lastApplied && typeof item === 'string') return maskedText(item);
    if (secretFields.has(field) && typeof item === 'string' && item !== '') return masked;
    return field === 'exec' || field === 'auth-provider' ? maskParts(item) : item;
  });
}

function maskedText(text: string): string {
  try {
    return `${maskedJson(JSON.parse(text))}\n`;
  } catch {
    return masked;
  }
}

function maskParts(item: unknown): unknown {
  if (typeof item !== 'object' || item === null) return item;
  return Object.fromEntries(Object.entries(item).map(([part, held]) => [part, secretParts.has(part) ? masked : held]));
}
