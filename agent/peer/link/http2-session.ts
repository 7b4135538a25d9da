/**
 * HTTP/2 on a channel whose preamble is done. Which end is the client doesn't follow from who dialled: on a `reverse`
 * channel the dialler serves. Windows are raised, because the default of 64 KiB makes round trips the limit of a real link.
 */
import {
  type ClientHttp2Session,
  connect,
  type Http2Session,
  performServerHandshake,
  type ServerHttp2Session,
  type Settings,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';
import { peerLimits } from '../peer.ts';
import { connectionLost } from './frames.ts';

const settings: Settings = {
  enablePush: false,
  initialWindowSize: peerLimits.peerWindowBytes,
  maxConcurrentStreams: peerLimits.concurrentStreams,
  maxFrameSize: 64 * 1024,
  maxHeaderListSize: 16 * 1024,
};

/** Megabytes nghttp2 may hold for a session; Node's default of 10 would refuse streams below our windows. */
const maxSessionMemory = 128;
const readyDeadlineMs = 10_000;

/** Resolves once the other side's settings are known, so that the first request finds the raised windows. */
export async function openClientSession(socket: TLSSocket, clock: Clock): Promise<ClientHttp2Session> {
  const session = connect('https://peer', { createConnection: () => socket, settings, maxSessionMemory });
  try {
    return await ready(session, clock);
  } catch (error) {
    session.destroy();
    throw error;
  }
}

/** The caller attaches its `stream` listener before the next tick. */
export function openServerSession(socket: TLSSocket): ServerHttp2Session {
  const session = performServerHandshake(socket, { settings, maxSessionMemory });
  session.on('error', ignoreLate);
  session.setLocalWindowSize(peerLimits.connectionWindowBytes);
  return session;
}

/**
 * One ping, answered within the deadline. @throws StorkError `PeerTimeout`, `PeerConnectionLost`
 * @returns the round trip in milliseconds
 */
export function ping(session: Http2Session, clock: Clock, deadlineMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const lost = () => reject(connectionLost());
    if (session.destroyed || session.closed) return lost();
    const timer = clock.after(deadlineMs, () =>
      reject(
        new StorkError({ code: 'PeerTimeout', message: 'The peer did not answer a ping in time', retryable: true }),
      ),
    );
    const asked = session.ping((error, roundTripMs) => {
      timer[Symbol.dispose]();
      if (error === null) resolve(roundTripMs);
      else lost();
    });
    if (asked) return;
    timer[Symbol.dispose]();
    lost();
  });
}

function ready(session: ClientHttp2Session, clock: Clock): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const fail = (error?: Error) => {
      timer[Symbol.dispose]();
      reject(connectionLost(error));
    };
    const timer = clock.after(readyDeadlineMs, () => fail());
    session.on('error', fail).once('close', fail);
    session.once('remoteSettings', () => {
      timer[Symbol.dispose]();
      session.off('error', fail).off('close', fail).on('error', ignoreLate);
      session.setLocalWindowSize(peerLimits.connectionWindowBytes);
      resolve(session);
    });
  });
}

/** Sessions report their end by `close`, which is what their owner listens to. */
const ignoreLate = () => {};
