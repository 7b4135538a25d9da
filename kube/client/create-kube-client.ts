/**
 * The client of a real API server. Makes no connection before its first call; `close()` ends all of them.
 *
 *   const config = await loadKubeconfig({ env, homeDirectory, readText });
 *   const client = createKubeClient({ config, env, clock, random, readText, terminal: 'Absent' });
 */
import type { Impersonation, KubeClient } from './client.ts';
import type { ClusterConfig } from './cluster-config.ts';
import { connectionPool } from './connection-pool.ts';
import { type CredentialEnvironment, credentialSource } from './credentials.ts';
import { impersonationHeaders } from './impersonation.ts';
import { readVerbs } from './read-verbs.ts';
import { serverVerbs } from './server-verbs.ts';
import { createTransport, defaultLimits, type TransportLimits } from './transport.ts';
import type { WatchLimits } from './verbs-context.ts';
import { writeVerbs } from './write-verbs.ts';

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
    const context = { transport, headers, random, limits, userAgent, managedFields };
    const verbs = { ...readVerbs(context), ...writeVerbs(context), ...serverVerbs(context) };
    return { server: config.server, ...verbs, as: acting, close: pool.close };
  };
  return acting(config.impersonate);
}
