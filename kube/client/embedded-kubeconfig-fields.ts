/** Which fields of an embedded kubeconfig's cluster and user are taken, and why the others are not. Pure. */
import { StorkError } from '../errors.ts';

export type KubeconfigFields = Readonly<Record<string, unknown>>;

/** What client-go and tools add for themselves; it changes nothing about a connection. */
const ignored: ReadonlySet<string> = new Set(['LocationOfOrigin', 'disable-compression', 'extensions']);

/** `Taken`, or why not and what to do instead. */
type Verdicts = Readonly<Record<string, 'Taken' | string>>;

const cluster: Verdicts = {
  server: 'Taken',
  'certificate-authority-data': 'Taken',
  'certificate-authority': 'It is a path: put the file into certificate-authority-data.',
  'insecure-skip-tls-verify':
    'It would give the credentials to any server: put its authority into certificate-authority-data.',
  'proxy-url': 'The agent goes to the server itself: remove it.',
  'tls-server-name': 'Name the host that the certificate is for in server.',
};

const useAccount = 'Use the token of a ServiceAccount instead.';
const useItself = 'Use credentials of the account that is meant.';
const user: Verdicts = {
  'client-certificate-data': 'Taken',
  'client-key-data': 'Taken',
  token: 'Taken',
  'client-certificate': 'It is a path: put the file into client-certificate-data.',
  'client-key': 'It is a path: put the file into client-key-data.',
  tokenFile: 'It is a path: put the token into token.',
  exec: `The agent starts no program of others. ${useAccount}`,
  'auth-provider': `The agent has no such plugin. ${useAccount}`,
  username: useAccount,
  password: useAccount,
  as: useItself,
  'as-uid': useItself,
  'as-groups': useItself,
  'as-user-extra': useItself,
  'act-as': useItself,
  'act-as-uid': useItself,
  'act-as-groups': useItself,
  'act-as-user-extra': useItself,
};

/** @throws StorkError `KubeconfigRefused` for the first field that is set and not taken */
export function checkFields(kind: 'cluster' | 'user', fields: KubeconfigFields, about: string): void {
  const verdicts = kind === 'cluster' ? cluster : user;
  for (const [field, value] of Object.entries(fields)) {
    const verdict = Object.hasOwn(verdicts, field) ? verdicts[field] : 'The agent does not know this field: remove it.';
    if (verdict === 'Taken' || verdict === undefined || ignored.has(field) || isUnset(value)) continue;
    throw refusedKubeconfig(`${about}.${field}`, 'is not taken', verdict);
  }
}

/** @param what follows the place in the message */
export function refusedKubeconfig(place: string, what: string, hint: string): StorkError {
  return new StorkError({ code: 'KubeconfigRefused', message: `${place} ${what}`, about: place, hint });
}

/** Go's zero values are written as if they were set. */
function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
