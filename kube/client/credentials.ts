/** Who we are on each request: headers, and the client certificate of the connection. Files are read again as they age. */
import type { Clock } from '../clock.ts';
import type { ClusterConfig, Environment, PemSource, ReadText } from './cluster-config.ts';
import { type ExecCredentialSource, execCredentialSource } from './exec-credential.ts';

export interface CredentialEnvironment {
  readonly env: Environment;
  readonly clock: Clock;
  readonly readText: ReadText;
  readonly terminal: 'Present' | 'Absent';
}

/** What a TLS connection needs; connections are kept per such value. */
export interface TlsMaterial {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface CredentialSource {
  /** The Authorization header, or `undefined` when the connection's certificate says who we are. */
  authorization(signal?: AbortSignal): Promise<string | undefined>;
  tls(signal?: AbortSignal): Promise<TlsMaterial>;
  /** After a 401. Answers whether another try makes sense: there is something to read or ask again. */
  renew(): 'Renewable' | 'Fixed';
}

/** A rotated token, certificate or CA is noticed within this time. */
export const fileFreshMs = 60_000;

export function credentialSource(config: ClusterConfig, environment: CredentialEnvironment): CredentialSource {
  const files = freshFiles(environment);
  const { certificate, token, basic, exec } = config.credentials;
  const plugin: ExecCredentialSource | undefined =
    exec === undefined ? undefined : execCredentialSource(exec, environment);
  const pem = async (source: PemSource | undefined) => {
    if (source === undefined) return undefined;
    return source.from === 'Inline' ? source.pem : files.read(source.path);
  };
  return {
    async authorization(signal) {
      if (token?.from === 'File') return `Bearer ${(await files.read(token.path)).trim()}`;
      if (token?.from === 'Inline') return `Bearer ${token.token}`;
      if (basic !== undefined) return `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`;
      const credential = await plugin?.get(signal);
      return credential?.token === undefined ? undefined : `Bearer ${credential.token}`;
    },
    async tls(signal) {
      const issued = await plugin?.get(signal);
      return {
        ca: await pem(config.trust.ca),
        cert: issued?.clientCertificateData ?? (await pem(certificate?.cert)),
        key: issued?.clientKeyData ?? (await pem(certificate?.key)),
      };
    },
    renew() {
      files.forget();
      plugin?.invalidate();
      return plugin !== undefined || token?.from === 'File' || certificate?.cert.from === 'File'
        ? 'Renewable'
        : 'Fixed';
    },
  };
}

/** Files' texts, each read again when the last reading is older than `fileFreshMs`; a failing re-read keeps the old text. */
function freshFiles({ clock, readText }: CredentialEnvironment) {
  const known = new Map<string, { readonly text: string; readonly readAtMs: number }>();
  let forgottenAtMs = Number.NEGATIVE_INFINITY;
  return {
    async read(path: string): Promise<string> {
      const kept = known.get(path);
      const nowMs = clock.monotonicMs();
      if (kept !== undefined && nowMs - kept.readAtMs < fileFreshMs && kept.readAtMs > forgottenAtMs) return kept.text;
      try {
        const text = await readText(path);
        known.set(path, { text, readAtMs: nowMs });
        return text;
      } catch (error) {
        if (kept === undefined) throw error;
        return kept.text;
      }
    },
    forget() {
      forgottenAtMs = clock.monotonicMs();
    },
  };
}
