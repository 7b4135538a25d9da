/**
 * Kept connections to one server as one identity: a bounded number for calls, separate ones for watches, logs and exec,
 * which hold theirs. Rotated certificates lead to new connections; old ones end when they fall idle.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';
import { StorkError } from '../errors.ts';
import type { ClusterConfig } from './cluster-config.ts';
import type { CredentialSource, TlsMaterial } from './credentials.ts';
import { isLoopback } from './proxy.ts';
import { openTunnel } from './tunnel.ts';

/** Connections for calls; more calls than that wait for a free one. */
export const maxCallConnections = 16;
/** Watches, logs and exec at once. */
export const maxStreamConnections = 256;
/** An unused connection is closed after this long, before servers and balancers (90 s and more) would. */
const idleConnectionMs = 55_000;
const keepAliveProbeMs = 15_000;

export interface ConnectionPool {
  readonly protocol: 'http:' | 'https:';
  agent(use: 'Call' | 'Stream', signal?: AbortSignal): Promise<HttpAgent>;
  /** Closes every connection, also those in use. */
  close(): void;
}

/** @throws StorkError InsecureServer for a plain http server elsewhere than on this machine */
export function connectionPool(config: ClusterConfig, credentials: CredentialSource): ConnectionPool {
  const { protocol, hostname } = new URL(config.server);
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback(hostname))) {
    const message = `The API server ${config.server} has no TLS.`;
    throw new StorkError({ code: 'InsecureServer', message, hint: 'Use an https server; http is for loopback only.' });
  }
  const pools: HttpAgent[] = [];
  let current: { readonly material: TlsMaterial; readonly calls: HttpAgent; readonly streams: HttpAgent } | undefined;
  const create = (material: TlsMaterial, maxSockets: number) => {
    const agent = protocol === 'http:' ? new HttpAgent(keepAlive(maxSockets)) : tlsAgent(config, material, maxSockets);
    pools.push(agent);
    return agent;
  };
  return {
    protocol,
    async agent(use, signal) {
      const material = await credentials.tls(signal);
      if (current === undefined || !sameMaterial(current.material, material)) {
        const calls = create(material, maxCallConnections);
        current = { material, calls, streams: create(material, maxStreamConnections) };
      }
      return use === 'Call' ? current.calls : current.streams;
    },
    close() {
      for (const agent of pools) agent.destroy();
    },
  };
}

const keepAlive = (maxSockets: number) => ({
  keepAlive: true,
  keepAliveMsecs: keepAliveProbeMs,
  maxSockets,
  maxFreeSockets: maxCallConnections,
  timeout: idleConnectionMs,
});

const sameMaterial = (a: TlsMaterial, b: TlsMaterial) => a.ca === b.ca && a.cert === b.cert && a.key === b.key;

function tlsAgent(config: ClusterConfig, { ca, cert, key }: TlsMaterial, maxSockets: number): HttpsAgent {
  const { trust, proxyUrl, addresses } = config;
  const agent = new HttpsAgent({
    ...keepAlive(maxSockets),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: trust.verify === 'VerifyServer',
    ...(trust.serverName === undefined ? {} : { servername: trust.serverName }),
    ...(addresses === undefined ? {} : { lookup: answering(addresses) }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  });
  if (proxyUrl === undefined) return agent;
  const server = new URL(config.server);
  const host = server.hostname.replace(/^\[|\]$/g, '');
  const port = server.port === '' ? 443 : Number(server.port);
  agent.createConnection = (options: ConnectionOptions, callback) => {
    openTunnel(proxyUrl, host, port).then(
      (socket) => callback?.(null, tlsConnect({ servername: host, ...options, socket })),
      (error: Error) => callback?.(error, new Duplex()),
    );
    return undefined;
  };
  return agent;
}

/** Answers with these addresses, whatever the name. */
function answering(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_host, options, done) => {
    if (options.all === true) done(null, all);
    else done(null, all[0]?.address ?? '', all[0]?.family ?? 4);
  };
}
