/**
 * Certificates of one cluster, made with the openssl program: a CA, the API
 * server's and kubelets' serving certificates, and client certificates whose
 * subject names the user (CN) and groups (O).
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand, runScript } from './run-command.ts';

export interface Identity {
  /** File name without ending. */
  readonly file: string;
  readonly user: string;
  readonly groups: readonly string[];
  /** Addresses and names for a serving certificate; empty for a client only. */
  readonly addresses: readonly string[];
  readonly names: readonly string[];
}

export interface Credential {
  readonly certificate: string;
  readonly key: string;
}

export interface Pki {
  readonly folder: string;
  readonly ca: Credential;
  /** A separate CA, so that an aggregated API can tell the API server's front proxy from any client. */
  readonly frontProxyCa: Credential;
  readonly serviceAccountKey: string;
  issue(identity: Identity): Promise<Credential>;
}

const validDays = '825';

export async function createPki(folder: string): Promise<Pki> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const [ca, frontProxyCa] = await Promise.all([
    createAuthority(folder, 'ca', 'stork-testbed'),
    createAuthority(folder, 'front-proxy-ca', 'stork-testbed-front-proxy'),
  ]);
  const serviceAccountKey = join(folder, 'service-account.key');
  await runCommand('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', serviceAccountKey]);
  return {
    folder,
    ca,
    frontProxyCa,
    serviceAccountKey,
    issue: (identity) => issue(folder, identity.file === 'front-proxy' ? frontProxyCa : ca, identity),
  };
}

async function createAuthority(folder: string, file: string, name: string): Promise<Credential> {
  const made = { certificate: join(folder, `${file}.crt`), key: join(folder, `${file}.key`) };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', made.key, '-out', made.certificate];
  await runCommand('openssl', ['req', '-x509', ...newKey, ...files, '-days', validDays, '-subj', `/CN=${name}`]);
  return made;
}

async function issue(folder: string, ca: Credential, identity: Identity): Promise<Credential> {
  const base = join(folder, identity.file);
  await writeFile(`${base}.cnf`, renderRequest(identity));
  await runScript(
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -config "$1.cnf" 2>/dev/null
     openssl x509 -req -in "$1.csr" -CA "$2" -CAkey "$3" -set_serial "0x$(openssl rand -hex 12)" -days ${validDays} -extensions ext -extfile "$1.cnf" -out "$1.crt" 2>/dev/null`,
    [base, ca.certificate, ca.key],
  );
  return { certificate: `${base}.crt`, key: `${base}.key` };
}

function renderRequest(identity: Identity): string {
  const alternatives = [...identity.names.map((name) => `DNS:${name}`), ...identity.addresses.map((ip) => `IP:${ip}`)];
  return [
    '[req]',
    'prompt = no',
    'distinguished_name = dn',
    '[dn]',
    `CN = ${identity.user}`,
    ...identity.groups.map((group, index) => `${index}.O = ${group}`),
    '[ext]',
    'basicConstraints = critical,CA:FALSE',
    'keyUsage = critical,digitalSignature',
    `extendedKeyUsage = clientAuth${alternatives.length > 0 ? ',serverAuth' : ''}`,
    ...(alternatives.length > 0 ? [`subjectAltName = ${alternatives.join(',')}`] : []),
    '',
  ].join('\n');
}
