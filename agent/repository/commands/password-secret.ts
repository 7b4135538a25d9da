/**
 * `--password-secret NAMESPACE/NAME[/KEY]`: the password in a Kubernetes Secret, read through the cluster's API by whoever runs the command.
 * Neither it nor any other of the Secret's values gets into an argument, a file, a log or an error.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import type { Ambient } from '../../../kube/ambient.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { createKubeClient } from '../../../kube/client/create-kube-client.ts';
import { inClusterConfig } from '../../../kube/client/in-cluster-config.ts';
import { loadKubeconfig } from '../../../kube/client/load-kubeconfig.ts';
import { isForbidden, isNotFound, StorkError } from '../../../kube/errors.ts';
import type { SecretPlace } from './unlock-arguments.ts';

const valueLimitBytes = 64 * 1024;

/**
 * The first line of the Secret's value, as of a password file.
 * @throws `PasswordSecretMissing`, `PasswordSecretForbidden`, `PasswordSecretInvalid`, naming Secret and key; what the client throws
 */
export async function readPasswordSecret(
  client: Pick<KubeClient, 'get'>,
  { namespace, name, key }: SecretPlace,
  signal?: AbortSignal,
): Promise<string> {
  const about = `Secret ${namespace}/${name}`;
  const secret = await client.get(core.secrets, { namespace, name }, { signal }).catch((error: unknown) => {
    if (isNotFound(error))
      throw failed('Missing', 'The Secret with the password is not there', about, 'Look at its namespace and name.');
    if (!isForbidden(error)) throw error;
    const hint = `It takes the right to get secrets, by resourceNames [${name}], in namespace ${namespace}: docs/repository-keys.md.`;
    throw failed('Forbidden', 'You may not read the Secret with the password', about, hint);
  });
  const value = secret.data?.[key];
  if (value === undefined) {
    const keys =
      Object.keys(secret.data ?? {})
        .sort()
        .join(', ') || 'none';
    throw failed(
      'Missing',
      `The Secret has no key ${key}; it has ${keys}`,
      about,
      `Name one: ${namespace}/${name}/KEY.`,
    );
  }
  const bytes = Buffer.from(value, 'base64');
  const [password = ''] = bytes.toString('utf8').split(/\r?\n/, 1);
  if (password !== '' && bytes.length <= valueLimitBytes) return password;
  const what = password === '' ? 'begins with an empty line' : `has more than ${valueLimitBytes} bytes`;
  throw failed('Invalid', `Key ${key} of the Secret ${what}`, about, 'The password is its first line.');
}

const failed = (what: 'Missing' | 'Forbidden' | 'Invalid', message: string, about: string, hint: string) =>
  new StorkError({ code: `PasswordSecret${what}`, message, about, hint });

/** By the kubeconfig that KUBECONFIG names, else the pod's ServiceAccount, else ~/.kube/config. */
export async function passwordOfSecret(place: SecretPlace, ambient: Ambient): Promise<string> {
  const { env, clock, random, version, signal } = ambient;
  const readText = (path: string) => readFile(path, 'utf8');
  const isInPod = env.KUBECONFIG === undefined && env.KUBERNETES_SERVICE_HOST !== undefined;
  const config = isInPod
    ? await inClusterConfig({ env, readText })
    : await loadKubeconfig({ env, homeDirectory: homedir(), readText });
  const userAgent = `stork-agent/${version}`;
  const client = createKubeClient({ config, env, clock, random, readText, terminal: 'Absent', userAgent });
  try {
    return await readPasswordSecret(client, place, signal);
  } finally {
    client.close();
  }
}
