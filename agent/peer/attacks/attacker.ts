/** For the attack tests: somebody with a key of their own, who speaks the link's protocol byte by byte. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect as tcpConnect, createServer as tcpServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { systemClock } from '../../../kube/clock.ts';
import { createIdentity } from '../identity.ts';
import { type Channel, type ChannelPurpose, dialChannel } from '../link/channel.ts';
import type { TestAgent } from '../two-agents.ts';

export const clock = systemClock();
export const stranger = createIdentity({ randomBytes, now: clock.now() });
export const credentials = { key: stranger.key, cert: stranger.certificate };
export const self = { cluster: 'c', version: 'v0' };
export const frameDeadline = { clock, deadlineMs: 2000 };

/** A TLS connection of any kind to the agent's port. */
export function rawConnection(agent: TestAgent, options: ConnectionOptions): TLSSocket {
  const port = Number(agent.endpoint.split(':')[1]);
  const trusting = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
  const socket = connect({ host: '127.0.0.1', port, ...trusting, ...options });
  socket.on('error', () => {});
  return socket;
}

/** A channel of `identity`, the agent's pin checked. */
export function channelTo(agent: TestAgent, purpose: ChannelPurpose = 'join', identity = stranger): Promise<Channel> {
  return dialChannel({ endpoint: agent.endpoint, purpose, identity, peerPin: agent.identity.pin, clock });
}

/** A server of somebody else on loopback, and what it was sent in clear. */
export async function startImpostor(options: TlsOptions = credentials) {
  const received: Buffer[] = [];
  const server = createServer(
    { requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['stork-join/1', 'stork-pair/1'], ...options },
    (socket) => socket.on('error', () => {}).on('data', (bytes) => void received.push(Buffer.from(bytes))),
  );
  server.on('tlsClientError', (_, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `127.0.0.1:${portOf(server.address())}`,
    received: () => Buffer.concat(received),
    [Symbol.dispose]: () => void server.close(),
  };
}

/** A wire on which somebody sits: sees every byte, and may change what passes from the dialler. */
export async function startTappedWire(target: string, pass: (bytes: Buffer) => readonly Buffer[]) {
  const sockets = new Set<Socket>();
  const recorded: Buffer[] = [];
  const server = tcpServer((near) => {
    const far = tcpConnect(Number(target.split(':')[1]), '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    far.on('data', (bytes) => void near.write(bytes));
    near.on('data', (chunk) => {
      const bytes = Buffer.from(chunk);
      recorded.push(bytes);
      for (const piece of pass(bytes)) far.write(piece);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `127.0.0.1:${portOf(server.address())}`,
    recorded: () => Buffer.concat(recorded),
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

export const closed = (stream: Duplex) => new Promise<void>((resolve) => void stream.once('close', () => resolve()));

/** Refusals the agent logged under that code. */
export const logged = (agent: TestAgent, code: string) => agent.log.lines.filter(({ fields }) => fields.code === code);

const portOf = (address: ReturnType<ReturnType<typeof createServer>['address']>) =>
  typeof address === 'object' && address !== null ? address.port : 0;
