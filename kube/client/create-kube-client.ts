/**
 * The client of a real API server. Makes no connection before its first call; `close()` ends all of them.
 *
 *   const config = await loadKubeconfig({ env, homeDirectory, readText });
 *   const client = createKubeClient({ config, env, clock, random, readText, terminal: 'Absent' });
 */
import { StorkError } from '../errors.ts';
import type { Impersonation, KubeClient } from './client.ts';
import { clientVerbs } from './client-verbs.ts';
import type { ClusterConfig } from './cluster-config.ts';
import { connectionPool } from './connection-pool.ts';
import { type CredentialEnvironment, credentialSource } from './credentials.ts';
import { createTransport, defaultLimits, type ImpersonationHeaders, type TransportLimits } from './transport.ts';

export interface KubeClientOptions extends CredentialEnvironment {
  readonly config: ClusterConfig;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  /** The product's part is also the default field manager. */
  readonly userAgent?: string | undefined;
  readonly limits?: Partial<TransportLimits & WatchLimits> | undefined;
  /** `metadata.managedFields` is dropped from everything received unless kept. */
  readonly managedFields?: 'Strip' | 'Keep' | undefined;
}

export interface WatchLimits {
  /** A watch on which nothing came for this long, not even a bookmark, is given up. */
  readonly watchSilentAfterMs: number;
  readonly watchEventBytes: number;
}

const watchLimits: WatchLimits = { watchSilentAfterMs: 150_000, watchEventBytes: 16 * 1024 * 1024 };

/** @throws StorkError InsecureServer for an http server that isn't on this machine */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  const { config, clock, random, userAgent = 'stork', managedFields = 'Strip' } = options;
  const credentials = credentialSource(config, options);
  const pool = connectionPool(config, credentials);
  const limits = { ...defaultLimits, ...watchLimits, ...options.limits };
  const transport = createTransport({ server: config.server, pool, credentials, clock, random, limits, userAgent });
  const acting = (identity: Impersonation | undefined): KubeClient => {
    const headers = identity === undefined ? {} : impersonationHeaders(identity);
    const verbs = clientVerbs({ transport, headers, random, limits, userAgent, managedFields });
    return { ...verbs, as: acting, close: pool.close };
  };
  return acting(config.impersonate);
}

/** @throws StorkError for an identity that HTTP headers can't carry */
export function impersonationHeaders({ user, groups, uid }: Impersonation): ImpersonationHeaders {
  for (const value of [user, uid ?? '', ...(groups ?? [])]) {
    if (/^[\x20-\x7e]*$/.test(value)) continue;
    const message = 'An identity to act as has characters that HTTP headers can’t carry.';
    throw new StorkError({ code: 'ImpersonationInvalid', message, about: JSON.stringify(value) });
  }
  return {
    'impersonate-user': user,
    ...(groups === undefined || groups.length === 0 ? {} : { 'impersonate-group': groups }),
    ...(uid === undefined ? {} : { 'impersonate-uid': uid }),
  };
}
