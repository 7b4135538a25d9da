/**
 * TLS 1.3 channels between two agents: certificates on both sides, trusted by nothing but the pin of their key. OpenSSL
 * still checks that each side owns its key; names, dates and authorities mean nothing here. Sessions are never resumed, so
 * every connection proves the keys anew.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';
import type { Identity } from '../identity.ts';
import { fingerprintOf } from '../invitation.ts';
import { pinOf } from '../x509.ts';
import { formerPinsOf } from './lineage.ts';
import { alpn, preambleLimits } from './preamble.ts';

export type ChannelPurpose = keyof typeof alpn;

export interface Channel {
  readonly socket: TLSSocket;
  readonly purpose: ChannelPurpose;
  readonly peerPin: string;
  /** Keys it had before, each proven to have signed its successor; newest first. */
  readonly formerPins: readonly string[];
  /** host:port of the other end. */
  readonly remote: string;
  /** Keying material that only the two ends of this very channel have. */
  exporter(context: string): Uint8Array;
}

/** Connections that have not proven who they are; beyond this the oldest is dropped. */
const maxUnproven = 64;
const keepAliveMs = 15_000;

/**
 * @throws StorkError `WrongPin` when somebody else answers, `PeerUnreachable`, `UnsupportedProtocol` when the other end
 *   doesn't speak ours (TLS 1.3 and this ALPN)
 */
export async function dialChannel(options: {
  readonly endpoint: string;
  readonly purpose: ChannelPurpose;
  readonly identity: Identity;
  readonly peerPin: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}): Promise<Channel> {
  const { endpoint, purpose, identity, clock } = options;
  const { host, port } = splitEndpoint(endpoint);
  const timeout = new AbortController();
  const signal = AbortSignal.any([timeout.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  using _timer = clock.after(preambleLimits.connectMs, () => timeout.abort(unreachable(endpoint, 'no answer in time')));
  signal.throwIfAborted();
  const socket = connect({
    host,
    port,
    key: identity.key,
    cert: identity.certificate,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [alpn[purpose]],
    // Trust is the pin, checked below before a byte is sent.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  socket.on('error', ignoreLate);
  socket.setKeepAlive(true, keepAliveMs);
  socket.setNoDelay(true);
  try {
    await once(socket, 'secureConnect', { signal });
  } catch (error) {
    socket.destroy();
    options.signal?.throwIfAborted();
    throw timeout.signal.aborted ? timeout.signal.reason : unreachable(endpoint, reasonOf(error), error);
  }
  const channel = inspect(socket, endpoint);
  if ('problem' in channel) {
    socket.destroy();
    throw new StorkError({ code: 'UnsupportedProtocol', message: `${endpoint} ${channel.problem}`, about: endpoint });
  }
  if (!isKnownAs(channel, options.peerPin)) {
    socket.destroy();
    throw wrongPin(endpoint, channel.peerPin, options.peerPin);
  }
  return channel;
}

/** Whether the other end has that key, or had it and replaced it by signature. */
export function isKnownAs(channel: Pick<Channel, 'peerPin' | 'formerPins'>, pin: string): boolean {
  return channel.peerPin === pin || channel.formerPins.includes(pin);
}

export interface ChannelServer extends AsyncDisposable {
  /** The port it listens on. */
  readonly port: number;
  /** The identity has a new key: connections from now on are shown it. */
  renew(): void;
}

/** Listens for peers. `onChannel` owns each channel; `onRefused` hears why one didn't come to be. */
export async function listenForChannels(options: {
  readonly identity: Identity;
  readonly port: number;
  readonly host?: string | undefined;
  onChannel(channel: Channel, settled: () => void): void;
  onRefused(remote: string, code: string, message: string): void;
}): Promise<ChannelServer> {
  const { identity, onChannel, onRefused } = options;
  const secrets = () => ({ key: identity.key, cert: identity.certificate, minVersion: 'TLSv1.3' }) as const;
  const server = createServer({
    ...secrets(),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: Object.values(alpn),
    handshakeTimeout: preambleLimits.deadlineMs,
  });
  const open = new Set<Socket>();
  // By remote address, oldest first; a channel leaves when it has proven what it is.
  const unproven = new Map<string, Socket>();
  server.on('connection', (raw: Socket) => {
    const remote = addressOf(raw);
    raw.on('error', ignoreLate);
    raw.setKeepAlive(true, keepAliveMs);
    raw.setNoDelay(true);
    open.add(raw);
    unproven.set(remote, raw);
    raw.once('close', () => {
      open.delete(raw);
      unproven.delete(remote);
    });
    const [oldest] = unproven.values();
    if (unproven.size > maxUnproven) oldest?.destroy();
  });
  server.on('tlsClientError', (error, socket) => {
    onRefused(addressOf(socket), 'UnsupportedProtocol', `The TLS handshake failed: ${reasonOf(error)}.`);
    socket.destroy();
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', ignoreLate);
    const remote = addressOf(socket);
    const channel = inspect(socket, remote);
    if ('problem' in channel) {
      onRefused(remote, 'UnsupportedProtocol', `The connection ${channel.problem}.`);
      socket.destroy();
      return;
    }
    onChannel(channel, () => unproven.delete(remote));
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: portOf(server),
    renew: () => server.setSecureContext(secrets()),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** What a finished handshake amounts to, or why it isn't a channel of ours. */
function inspect(socket: TLSSocket, remote: string): Channel | { readonly problem: string } {
  const purpose = purposes.find((candidate) => alpn[candidate] === socket.alpnProtocol);
  if (socket.getProtocol() !== 'TLSv1.3') return { problem: 'does not use TLS 1.3' };
  if (purpose === undefined) return { problem: "does not speak stork's pair protocol" };
  if (socket.isSessionReused()) return { problem: 'resumes an old TLS session' };
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { problem: 'shows no certificate' };
  return {
    socket,
    purpose,
    remote,
    peerPin: pinOf(certificate.publicKey),
    formerPins: formerPinsOf(certificate),
    exporter: (context) => socket.exportKeyingMaterial(32, `EXPORTER-${alpn.join}`, Buffer.from(context)),
  };
}

const purposes = ['join', 'forward', 'reverse'] as const satisfies readonly ChannelPurpose[];

/** host:port; an IPv6 address stands in brackets. */
export function splitEndpoint(endpoint: string): { readonly host: string; readonly port: number } {
  const colon = endpoint.lastIndexOf(':');
  return { host: endpoint.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(endpoint.slice(colon + 1)) };
}

const addressOf = (socket: Socket) => `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** The code of a system or TLS error; OpenSSL's long texts help nobody. */
export function reasonOf(error: unknown): string {
  const coded = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return coded ?? (error instanceof Error ? error.message : 'unknown');
}

/** A socket needs somebody who hears its error; whoever uses it learns of its end by `close` or a failed read. */
const ignoreLate = () => {};

function unreachable(endpoint: string, reason: string, cause?: unknown): StorkError {
  return new StorkError({
    code: 'PeerUnreachable',
    message: `${endpoint} could not be reached: ${reason}`,
    about: endpoint,
    hint: 'Check that the address is right and that firewalls let this cluster connect to it.',
    retryable: true,
    cause,
  });
}

function wrongPin(endpoint: string, found: string, expected: string): StorkError {
  return new StorkError({
    code: 'WrongPin',
    message: `${endpoint} has the key ${fingerprintOf(found)}, not ${fingerprintOf(expected)}: it is not the peer`,
    about: endpoint,
    hint: 'Somebody else answers at that address, or the peer lost its key; if the latter, pair anew.',
  });
}
