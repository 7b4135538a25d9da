/**
 * The connections of an established pair: four from the side that dials, one per lane and HTTP/2 role. They live and die
 * together under one random name, the bundle, so that both sides agree on what is current.
 */
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../../kube/clock.ts';
import type { Identity } from '../identity.ts';
import { type Channel, type ChannelPurpose, dialChannel } from './channel.ts';
import { readFrame, writeFrame } from './frames.ts';
import { readRefusal, refusalAnswer, type SelfDescription } from './join.ts';
import { answerSchema, type Dial, dialSchema, type Lane, preambleLimits, spoken } from './preamble.ts';
import { type Refusal, refusalError } from './refusal.ts';

/** A connection whose preamble is done. */
export interface Line {
  readonly socket: TLSSocket;
  readonly lane: Lane;
  /** Our HTTP/2 role on it. */
  readonly role: 'client' | 'server';
  readonly bundle: string;
  /** The key of the other side. */
  readonly peerPin: string;
  /** What the other side said of itself. */
  readonly peer: SelfDescription;
  readonly remote: string;
}

/** In the order they are dialled: the first one learns whether the pair is admitted at all. */
export const bundleLines = [
  { lane: 'control', purpose: 'forward' },
  { lane: 'control', purpose: 'reverse' },
  { lane: 'bulk', purpose: 'forward' },
  { lane: 'bulk', purpose: 'reverse' },
] as const satisfies readonly { readonly lane: Lane; readonly purpose: ChannelPurpose }[];

/** @throws StorkError the peer's refusal, or as `dialChannel` */
export async function dialLine(options: {
  readonly endpoint: string;
  readonly line: (typeof bundleLines)[number];
  readonly bundle: string;
  readonly pairId: string;
  readonly peerPin: string;
  readonly identity: Identity;
  readonly self: SelfDescription;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The channel stands and the peer is about to be asked. What it throws ends the attempt. */
  readonly beforeAsking?: (() => void) | undefined;
}): Promise<Line> {
  const { endpoint, line, bundle, pairId, self, clock, signal } = options;
  const channel = await dialChannel({ ...options, purpose: line.purpose });
  const { socket } = channel;
  try {
    options.beforeAsking?.();
    const asked = { ...spoken, pairId, lane: line.lane, bundle, ...self } satisfies Dial;
    await writeFrame(socket, asked);
    const answer = await readFrame(socket, answerSchema, { clock, deadlineMs: preambleLimits.deadlineMs, signal });
    if (answer.verdict === 'Refused') throw refusalError(readRefusal(answer), endpoint);
    const peer = { cluster: answer.cluster ?? '', version: answer.version ?? '' };
    const role = line.purpose === 'forward' ? 'client' : 'server';
    return { socket, lane: line.lane, role, bundle, peer, peerPin: channel.peerPin, remote: channel.remote };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * Answers a dialler: `admit` decides, and when it admits the line is ready for HTTP/2.
 * @throws what `readFrame` throws
 */
export async function answerDial(
  channel: Channel,
  options: {
    readonly admit: (dial: Dial, peerPin: string) => Refusal | 'Admit';
    readonly self: SelfDescription;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly line: Line; readonly pairId: string } | { readonly refusal: Refusal; readonly pairId: string }> {
  const { self, clock, signal } = options;
  const dial = await readFrame(channel.socket, dialSchema, { clock, deadlineMs: preambleLimits.deadlineMs, signal });
  const verdict = options.admit(dial, channel.peerPin);
  if (verdict !== 'Admit') {
    await writeFrame(channel.socket, refusalAnswer(verdict));
    return { refusal: verdict, pairId: dial.pairId };
  }
  await writeFrame(channel.socket, { verdict: 'Admitted', ...self });
  const line: Line = {
    socket: channel.socket,
    lane: dial.lane,
    role: channel.purpose === 'forward' ? 'server' : 'client',
    bundle: dial.bundle,
    peerPin: channel.peerPin,
    peer: { cluster: dial.cluster, version: dial.version },
    remote: channel.remote,
  };
  return { line, pairId: dial.pairId };
}
