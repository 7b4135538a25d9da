/** A real S3 server on loopback, versitygw on files, for tests: with versions and object lock; its buckets vanish with it. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureBinaries } from '../testbed/binaries.ts';
import { freePort, startServer } from './loopback.ts';

export interface S3Server extends AsyncDisposable {
  /** For example `http://127.0.0.1:7070`. */
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Path of the authority that signed its certificate, when it speaks TLS. */
  readonly caFile: string | undefined;
  /** What the server keeps of a bucket: an object is a file. */
  folderOf(bucket: string): string;
  /** Another account, that may do what policies of buckets allow it. */
  addAccount(name: string): Promise<S3Server['credentials']>;
}

export async function startVersitygw(speaks: 'HTTP' | 'TLS' = 'HTTP'): Promise<S3Server> {
  const binaries = await ensureBinaries(['versitygw'], (line) => void process.stderr.write(`${line}\n`));
  const root = await mkdtemp(join(tmpdir(), 'stork-s3-'));
  for (const folder of ['data', 'meta', 'versions', 'accounts']) await mkdir(join(root, folder));
  const credentials = { accessKeyId: 'storktest', secretAccessKey: 'storktest-secret' };
  const address = `127.0.0.1:${await freePort()}`;
  const tls = speaks === 'TLS' ? await makeCertificate(root) : undefined;
  const stop = await startServer({
    program: binaries.path('versitygw'),
    args: [
      ...['--port', address, '--quiet', '--keep-alive', '--iam-dir', join(root, 'accounts')],
      ...(tls === undefined ? [] : ['--cert', tls.certFile, '--key', tls.keyFile]),
      ...['posix', '--sidecar', join(root, 'meta'), '--versioning-dir', join(root, 'versions'), join(root, 'data')],
    ],
    ...{ address, folder: root },
    options: {
      env: { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  });
  const endpoint = `${tls === undefined ? 'http' : 'https'}://${address}`;
  return {
    ...{ endpoint, credentials, caFile: tls?.certFile },
    folderOf: (bucket) => join(root, 'data', bucket),
    async addAccount(name) {
      const account = { accessKeyId: name, secretAccessKey: `${name}-secret` };
      const { accessKeyId: access, secretAccessKey: secret } = credentials;
      await promisify(execFile)(binaries.path('versitygw'), [
        ...['admin', '--access', access, '--secret', secret, '--endpoint-url', endpoint, '--allow-insecure'],
        ...['create-user', '--access', name, '--secret', account.secretAccessKey, '--role', 'user'],
      ]);
      return account;
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function makeCertificate(root: string): Promise<{ readonly certFile: string; readonly keyFile: string }> {
  const [certFile, keyFile] = [join(root, 'cert.pem'), join(root, 'key.pem')];
  await writeFile(keyFile, '', { mode: 0o600 });
  const subject = ['-subj', '/CN=stork test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, '-out', certFile, ...subject], { stdio: 'ignore' });
  return { certFile, keyFile };
}
