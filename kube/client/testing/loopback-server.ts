/** An HTTPS server on loopback that answers as a test says, and a client of ours that trusts it. */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../../clock.ts';
import type { KubeClient } from '../client.ts';
import type { ClusterConfig } from '../cluster-config.ts';
import { createKubeClient, type KubeClientOptions } from '../create-kube-client.ts';
import { testAuthority, testServer } from './test-certificates.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

export interface LoopbackServer extends AsyncDisposable {
  readonly url: string;
  readonly https: Server;
  /** Connections ever accepted. */
  readonly connectionCount: number;
  /** `METHOD path?query` of each request, in order. */
  readonly seen: readonly string[];
  /** A client of this server; closed with it. */
  client(options?: ClientChanges): KubeClient;
}

export type ClientChanges = Partial<Omit<KubeClientOptions, 'config'>> & { readonly config?: Partial<ClusterConfig> };

export async function startLoopbackServer(answer: Answer): Promise<LoopbackServer> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const clients: KubeClient[] = [];
  let connectionCount = 0;
  const https = createServer(testServer, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => answer(request, response, Buffer.concat(pieces).toString()));
  });
  https.on('secureConnection', (socket) => {
    connectionCount += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  https.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
  const address = https.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  const url = `https://127.0.0.1:${address.port}`;
  return {
    url,
    https,
    seen,
    get connectionCount() {
      return connectionCount;
    },
    client(changes = {}) {
      const client = createKubeClient(clientOptions(url, changes));
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => https.close(resolve));
    },
  };
}

function clientOptions(url: string, { config, ...changes }: ClientChanges): KubeClientOptions {
  const clock: Clock = systemClock();
  return {
    ...{ env: {}, clock, random: () => 0, terminal: 'Absent' },
    readText: (path) => readFile(path, 'utf8'),
    ...changes,
    config: {
      name: 'loopback',
      server: url,
      namespace: undefined,
      trust: { ca: { from: 'Inline', pem: testAuthority }, verify: 'VerifyServer', serverName: undefined },
      proxyUrl: undefined,
      credentials: {},
      impersonate: undefined,
      ...config,
    },
  };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function aStatus(code: number, reason: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: `because ${reason}`, reason, code };
}

export function aConfigMap(name: string, resourceVersion = '1'): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', uid: name, resourceVersion } };
}
