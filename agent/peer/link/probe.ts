/**
 * How far one gets towards an address, hop by hop: its name, a TCP connection, the TLS handshake, the key. Says nothing to
 * the other end and changes nothing there, so it may be done beside a link that works.
 */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import type { Clock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';
import type { Identity } from '../identity.ts';
import { dialChannel, reasonOf, splitEndpoint } from './channel.ts';

export const probeHops = ['Name', 'Connect', 'Handshake', 'Key'] as const;

export interface EndpointProbe {
  readonly endpoint: string;
  /** The hop that failed; the last one when all passed. */
  readonly hop: (typeof probeHops)[number];
  readonly result: 'Passed' | 'Failed';
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

export interface ProbeOptions {
  readonly endpoint: string;
  readonly identity: Identity;
  /** The key that should answer. */
  readonly peerPin: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

const connectMs = 5_000;

/** @throws only the signal's reason */
export async function probeEndpoint(options: ProbeOptions): Promise<EndpointProbe> {
  const { endpoint, signal } = options;
  const { host } = splitEndpoint(endpoint);
  const failure = (await probeName(endpoint, host)) ?? (await probeConnect(options));
  signal?.throwIfAborted();
  if (failure !== undefined) return failure;
  try {
    const channel = await dialChannel({ ...options, purpose: 'forward' });
    channel.socket.destroy();
    return { endpoint, hop: 'Key', result: 'Passed', code: 'Passed', message: 'the right key answers there' };
  } catch (error) {
    signal?.throwIfAborted();
    return handshakeFailure(endpoint, error);
  }
}

async function probeName(endpoint: string, host: string): Promise<EndpointProbe | undefined> {
  if (isIP(host) !== 0) return undefined;
  try {
    await lookup(host);
    return undefined;
  } catch (error) {
    return {
      endpoint,
      hop: 'Name',
      result: 'Failed',
      code: 'NameNotResolved',
      message: `the name ${host} can't be resolved: ${reasonOf(error)}`,
      hint: `Check ${host} and the DNS that pods of this cluster use.`,
    };
  }
}

async function probeConnect({ endpoint, clock, signal }: ProbeOptions): Promise<EndpointProbe | undefined> {
  const failed = (code: string, message: string, hint: string): EndpointProbe => ({
    ...{ endpoint, hop: 'Connect', result: 'Failed' },
    ...{ code, message, hint },
  });
  const late = new AbortController();
  using _timer = clock.after(connectMs, () => late.abort());
  const stop = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]);
  const socket = connect(splitEndpoint(endpoint));
  socket.on('error', ignoreLate);
  try {
    await once(socket, 'connect', { signal: stop });
    return undefined;
  } catch (error) {
    if (late.signal.aborted) {
      const hint = 'Packets vanish on the way: check firewalls and routes between the clusters.';
      return failed('NoAnswer', `no answer within ${connectMs / 1000} s`, hint);
    }
    const reason = reasonOf(error);
    if (reason === 'ECONNREFUSED') {
      const hint = 'Check the port, and that the agent there runs: kubectl stork status on that cluster.';
      return failed('ConnectionRefused', 'nothing listens there, or a firewall refuses (ECONNREFUSED)', hint);
    }
    return failed('PeerUnreachable', `no connection: ${reason}`, 'Check the address and the routes to it.');
  } finally {
    socket.destroy();
  }
}

function handshakeFailure(endpoint: string, error: unknown): EndpointProbe {
  if (!(error instanceof StorkError)) throw error;
  const { code, message, hint } = error;
  const base = { endpoint, result: 'Failed', code } as const;
  if (code === 'WrongPin') return { ...base, hop: 'Key', message, hint };
  if (code === 'UnsupportedProtocol') {
    const told = 'Something else answers there, e.g. a proxy that ends TLS: pass the connection through untouched.';
    return { ...base, hop: 'Handshake', message, hint: told };
  }
  const told = 'Something between the clusters breaks the TLS handshake, or the agent there is just starting.';
  return { ...base, hop: 'Handshake', code: 'HandshakeFailed', message, hint: told };
}

/** A socket needs somebody who hears its error; `once` has told it already. */
const ignoreLate = () => {};
