/**
 * The join: the joiner proves that it knows the invitation's secret, the acceptor binds the invitation to the joiner's key
 * (durably, before it answers) and proves the same back. Nothing else is ever sent on such a channel.
 */
import type { Clock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';
import type { Identity } from '../identity.ts';
import { decideJoin, type Invitation, type InvitationRecord, joinProof, proofKeyOf, sameProof } from '../invitation.ts';
import { type Channel, dialChannel } from './channel.ts';
import { decideVersion, rangeOf } from './decide-version.ts';
import { readFrame, writeFrame } from './frames.ts';
import { type Answer, answerSchema, type Join, joinSchema, preambleLimits, spoken } from './preamble.ts';
import { type Refusal, refusalError } from './refusal.ts';

/** What an agent says of itself. */
export interface SelfDescription {
  readonly cluster: string;
  readonly version: string;
}

export interface Joiner extends SelfDescription {
  /** Where it can be dialled, if anywhere. */
  readonly endpoints: readonly string[];
  readonly pairId: string;
  readonly pin: string;
  readonly remote: string;
}

/** Where the accepting side keeps its invitations. */
export interface JoinDesk {
  find(pairId: string, signal: AbortSignal): Promise<InvitationRecord | undefined>;
  /**
   * Binds the invitation to this joiner. Idempotent for the same pin; durable when it resolves.
   * @throws ApiError Conflict when somebody else was faster
   */
  bind(joiner: Joiner, signal: AbortSignal): Promise<void>;
  /** Somebody with the right secret but another key, or too late: the admin should know. */
  refused(joiner: Joiner, refusal: Refusal, signal: AbortSignal): Promise<void>;
}

export interface JoinResult {
  readonly acceptor: SelfDescription;
  /** The acceptor's key: the code's, or one that the code's key has signed since. */
  readonly pin: string;
  /** The endpoint that answered; the others may work later. */
  readonly endpoint: string;
}

/**
 * Presents a code at its endpoints, one after the other, until one admits or refuses.
 * @throws StorkError the acceptor's refusal, `WrongPin`, `WrongProof`, or why no endpoint could be reached
 */
export async function presentCode(options: {
  readonly invitation: Invitation;
  /** Where the acceptor can dial us, if anywhere. */
  readonly endpoints?: readonly string[] | undefined;
  readonly identity: Identity;
  readonly self: SelfDescription;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}): Promise<JoinResult> {
  const { invitation, identity, signal } = options;
  if (invitation.pin === identity.pin) {
    throw new StorkError({
      code: 'SelfPair',
      message: 'The code was made by this very cluster',
      hint: 'Run `kubectl stork pair join` on the other cluster.',
    });
  }
  let failure: StorkError | undefined;
  for (const endpoint of invitation.endpoints) {
    try {
      return await presentAt(endpoint, options);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof StorkError)) throw error;
      if (!tryElsewhere.has(error.code)) throw error;
      failure = failure?.code === 'WrongPin' ? failure : error;
    }
  }
  throw failure ?? new StorkError({ code: 'PeerUnreachable', message: 'The code names no endpoint' });
}

/** Answers a joiner; the channel ends with it. @throws what `readFrame` throws; the caller logs it */
export async function answerJoin(
  channel: Channel,
  options: {
    readonly desk: JoinDesk;
    readonly identity: Identity;
    readonly self: SelfDescription;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<Refusal | Joiner> {
  const { desk, identity, self, clock, signal } = options;
  const join = await readFrame(channel.socket, joinSchema, { clock, deadlineMs: preambleLimits.deadlineMs, signal });
  const joiner: Joiner = {
    pairId: join.pairId,
    pin: channel.peerPin,
    remote: channel.remote,
    cluster: join.cluster,
    version: join.version,
    endpoints: join.endpoints ?? [],
  };
  const record = await desk.find(join.pairId, signal);
  const decision = decideJoin(record, {
    joinerPin: channel.peerPin,
    proof: record !== undefined && proofFits(record.proofKey, join, channel, identity) ? 'Right' : 'Wrong',
    now: clock.now(),
  });
  if (decision.do === 'refuse' || record === undefined) {
    const refusal = decision.do === 'refuse' ? decision : { code: 'UnknownCode', message: '' };
    await desk.refused(joiner, refusal, signal);
    await writeFrame(channel.socket, refusalAnswer(refusal));
    return refusal;
  }
  const version = decideVersion(rangeOf(spoken), rangeOf(join));
  if (version !== 'Speak') {
    await writeFrame(channel.socket, refusalAnswer(version));
    return version;
  }
  await desk.bind(joiner, signal);
  const proof = joinProof(record.proofKey, {
    role: 'acceptor',
    ...bindingOf(join.pairId, channel, identity, 'acceptor'),
  });
  await writeFrame(channel.socket, { verdict: 'Admitted', proof, ...self } satisfies Answer);
  return joiner;
}

export function refusalAnswer(refusal: Refusal): Answer {
  return { verdict: 'Refused', code: refusal.code, message: refusal.message.replaceAll(/[^ -~]/g, '?').slice(0, 1024) };
}

/** Failures of one endpoint that say nothing of the next. */
const tryElsewhere: ReadonlySet<string> = new Set([
  'PeerUnreachable',
  'PeerTimeout',
  'PeerConnectionLost',
  'WrongPin',
  'UnsupportedProtocol',
  'InvalidFrame',
]);

async function presentAt(endpoint: string, options: Parameters<typeof presentCode>[0]): Promise<JoinResult> {
  const { invitation, identity, self, endpoints = [], clock, signal } = options;
  const { pairId, pin: peerPin } = invitation;
  const channel = await dialChannel({ endpoint, purpose: 'join', identity, peerPin, clock, signal });
  try {
    const proofKey = proofKeyOf(invitation.secret);
    const binding = bindingOf(pairId, channel, identity, 'joiner');
    const proof = joinProof(proofKey, { role: 'joiner', ...binding });
    await writeFrame(channel.socket, { ...spoken, pairId, proof, ...self, endpoints } satisfies Join);
    const answer = await readFrame(channel.socket, answerSchema, {
      clock,
      deadlineMs: preambleLimits.deadlineMs,
      signal,
    });
    if (answer.verdict === 'Refused') throw refusalError(readRefusal(answer), endpoint);
    if (!sameProof(answer.proof ?? '', joinProof(proofKey, { role: 'acceptor', ...binding }))) {
      throw new StorkError({ code: 'WrongProof', message: `${endpoint} does not know the code`, about: endpoint });
    }
    return {
      acceptor: { cluster: answer.cluster ?? '', version: answer.version ?? '' },
      pin: channel.peerPin,
      endpoint,
    };
  } finally {
    channel.socket.destroy();
  }
}

export const readRefusal = (answer: Answer): Refusal => ({
  code: answer.code === undefined || answer.code === '' ? 'Refused' : answer.code,
  message: answer.message ?? 'The peer refused without a reason.',
});

function proofFits(proofKey: string, join: Join, channel: Channel, identity: Identity): boolean {
  const expected = joinProof(proofKey, { role: 'joiner', ...bindingOf(join.pairId, channel, identity, 'acceptor') });
  return sameProof(join.proof, expected);
}

function bindingOf(pairId: string, channel: Channel, identity: Identity, ownRole: 'joiner' | 'acceptor') {
  const [joinerPin, acceptorPin] =
    ownRole === 'joiner' ? [identity.pin, channel.peerPin] : [channel.peerPin, identity.pin];
  return { exporter: channel.exporter(pairId), joinerPin, acceptorPin, pairId };
}
