/** Writes kubeconfigs with the certificates inlined, so that one file is enough. */
import { readFile, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { Credential } from './pki.ts';

export interface KubeconfigEntry {
  /** Name of context, cluster and user alike. */
  readonly context: string;
  readonly url: string;
  readonly caCertificate: string;
  readonly credential: Credential;
}

/** The first entry's context is the current one. */
export async function writeKubeconfig(path: string, entries: readonly KubeconfigEntry[]): Promise<void> {
  const loaded = await Promise.all(
    entries.map(async (entry) => ({
      name: entry.context,
      url: entry.url,
      ca: await readBase64(entry.caCertificate),
      certificate: await readBase64(entry.credential.certificate),
      key: await readBase64(entry.credential.key),
    })),
  );
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': loaded[0]?.name ?? '',
    clusters: loaded.map(({ name, url, ca }) => ({
      name,
      cluster: { server: url, 'certificate-authority-data': ca },
    })),
    users: loaded.map(({ name, certificate, key }) => ({
      name: `${name}-user`,
      user: { 'client-certificate-data': certificate, 'client-key-data': key },
    })),
    contexts: loaded.map(({ name }) => ({ name, context: { cluster: name, user: `${name}-user` } })),
  };
  await writeFile(path, stringify(config), { mode: 0o600 });
}

async function readBase64(path: string): Promise<string> {
  return (await readFile(path)).toString('base64');
}
