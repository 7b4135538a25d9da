/** restic's own rest-server on loopback with TLS and a password, for tests; what it keeps vanishes with it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueServingTls } from '../../agent/peer/serving-tls.ts';
import { ensureBinaries } from '../testbed/binaries.ts';
import { freePort, startServer } from './loopback.ts';

export interface RestServer extends AsyncDisposable {
  /** Ends with a slash. */
  readonly url: string;
  readonly credentials: { readonly username: string; readonly password: string };
  readonly tls: { readonly ca: string; readonly fingerprint: undefined; readonly client: undefined };
  /** The file of its authority. */
  readonly caFile: string;
  /** What it serves: a repository's folder by its path. */
  readonly folder: string;
}

/** bcrypt of `secret`: rest-server reads nothing of ours. */
const usersFile = 'alice:$2a$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n';

export async function startRestServer(...flags: readonly string[]): Promise<RestServer> {
  const binaries = await ensureBinaries(['rest-server'], (line) => void process.stderr.write(`${line}\n`));
  const root = await mkdtemp(join(tmpdir(), 'stork-rest-server-'));
  const at = (name: string) => join(root, name);
  const tls = issueServingTls({ authorityName: 'test', dnsNames: ['localhost'], now: new Date(), randomBytes });
  await writeFile(at('ca.pem'), tls.authority);
  await writeFile(at('cert.pem'), tls.certificate);
  await writeFile(at('key.pem'), tls.key, { mode: 0o600 });
  await writeFile(at('users'), usersFile);
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const stop = await startServer({
    program: binaries.path('rest-server'),
    args: [
      ...['--listen', address, '--path', at('data'), '--htpasswd-file', at('users')],
      ...['--tls', '--tls-cert', at('cert.pem'), '--tls-key', at('key.pem'), ...flags],
    ],
    ...{ address, folder: root },
    options: { stdio: 'ignore' },
  });
  return {
    url: `https://localhost:${port}/`,
    credentials: { username: 'alice', password: 'secret' },
    tls: { ca: tls.authority, fingerprint: undefined, client: undefined },
    ...{ caFile: at('ca.pem'), folder: at('data') },
    [Symbol.asyncDispose]: stop,
  };
}
