/**
 * One stream's worth of conversation: the greeting that decides whether two engines continue, and the loop that re-opens streams.
 * Progress lives in the engines, which outlast streams; a peer that was restarted has none, so we must start over too.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { decodeControl, encodeControl, type Hello } from './control-message.ts';
import { createFrameLink, type FrameLink, frameTypes, LinkBroken } from './frame-link.ts';
import { fail } from './mover-error.ts';

/** Opens a stream to the peer; waits, retries and gives up by its own bounds (then it throws a StorkError). */
export type Connect = (signal: AbortSignal) => Promise<Duplex>;

const peerRestarted = 'PeerRestarted';

/** An engine can't go on, and a new one will: it is for nobody else to hear of. */
export const startOver = (message: string): StorkError =>
  new StorkError({ code: peerRestarted, message, retryable: true });

export const startsOver = (error: unknown): boolean => error instanceof StorkError && error.code === peerRestarted;

/**
 * Says hello and judges the answer. Throws `PeerRestarted` when our progress belongs to a peer that is gone (start a new engine),
 * LinkBroken when the peer's progress belongs to an engine of ours that is gone (the peer will start over: re-open).
 */
export async function greet(link: FrameLink, mine: Hello): Promise<Hello> {
  await link.send(frameTypes.control, encodeControl(mine));
  const frame = await link.receive();
  const theirs = frame.type === frameTypes.control ? decodeControl(frame.payload) : undefined;
  if (theirs?.type === 'failure') throw failureOf(theirs.code, theirs.message);
  if (theirs?.type !== 'hello') return fail('ProtocolError', 'The peer did not say hello');
  if (theirs.run !== mine.run) fail('WrongRun', `The peer copies run ${theirs.run}, we copy ${mine.run}`);
  if (theirs.role === mine.role) fail('WrongRole', `Both movers are the ${mine.role}`);
  // A receiver that has everything needs nobody, whichever engine of it we knew.
  if (theirs.concluded) return theirs;
  if (mine.peer !== null && mine.peer !== theirs.instance) {
    throw startOver('The other mover was restarted');
  }
  if (theirs.peer !== null && theirs.peer !== mine.instance) throw new LinkBroken('The peer still has to start over');
  return theirs;
}

/** A failure that the peer told us. */
export function failureOf(code: string, message: string): StorkError {
  return new StorkError({ code, message: `The other mover failed: ${message}`, about: 'peer' });
}

/** Tells the peer why we stop, when it should stop too; best effort. */
async function tellFailure(link: FrameLink, error: unknown): Promise<'Told' | 'Kept'> {
  if (!(error instanceof StorkError) || error.about === 'peer' || error.retryable) return 'Kept';
  // We come back with more room: the sender just waits for us.
  if (error.code === 'NeedsScratch') return 'Kept';
  const told = { type: 'failure', code: error.code, message: error.message } as const;
  await link.send(frameTypes.control, encodeControl(told)).catch(() => undefined);
  return 'Told';
}

/**
 * Opens streams and holds `converse` on each until it returns: then done. A broken stream, and `connect` throwing LinkBroken, are
 * followed by another try with growing pauses; without progress for `patienceMs` it throws `PeerUnreachable`.
 */
export async function keepConversing(options: {
  readonly connect: Connect;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly converse: (link: FrameLink, signal: AbortSignal) => Promise<void>;
  /** Grows with any progress. */
  readonly progress: () => number;
  readonly patienceMs?: number | undefined;
}): Promise<void> {
  const { clock, signal, patienceMs = defaultPatienceMs } = options;
  let idleSinceMs = clock.monotonicMs();
  let tries = 0;
  for (;;) {
    const before = options.progress();
    try {
      return await converseOnce(options);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof LinkBroken)) throw error;
      const moved = options.progress() > before;
      if (moved) idleSinceMs = clock.monotonicMs();
      tries = moved ? 0 : tries + 1;
      if (clock.monotonicMs() - idleSinceMs > patienceMs) throw peerUnreachable(patienceMs, error);
      await clock.sleep(Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(tries, 10)), signal);
    }
  }
}

/** The other mover's pod may wait for a node, an image or a volume. */
const defaultPatienceMs = 30 * 60_000;
const firstPauseMs = 50;
const longestPauseMs = 5_000;

async function converseOnce(options: {
  readonly connect: Connect;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly converse: (link: FrameLink, signal: AbortSignal) => Promise<void>;
}): Promise<void> {
  const { signal } = options;
  const link = createFrameLink(await options.connect(signal), options.clock);
  const stop = () => link.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await options.converse(link, signal);
  } catch (error) {
    if (!signal.aborted && (await tellFailure(link, error)) === 'Told') link.close('AfterSending');
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    link.close();
  }
}

const peerUnreachable = (patienceMs: number, cause: unknown): StorkError =>
  new StorkError({
    code: 'PeerUnreachable',
    message: `The other mover was not to be reached for ${Math.round(patienceMs / 1000)} s`,
    retryable: true,
    cause,
  });

/**
 * Runs tasks on one link side by side until the first of the list returns, then stops the others. The first failure is told to the
 * peer, stops all and is thrown; the link is closed and nothing runs on when this returns.
 */
export async function runTogether(
  link: FrameLink,
  signal: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  let failure: { readonly error: unknown } | undefined;
  const running = tasks.map(async (task, at) => {
    try {
      await task(both);
      if (at !== 0) return;
      stop.abort(new LinkBroken('The conversation is over'));
      link.close('AfterSending');
    } catch (error) {
      if (stop.signal.aborted) return;
      failure = { error };
      stop.abort(error);
      // A task that only listens hears of the end by the link.
      link.close((await tellFailure(link, error)) === 'Told' ? 'AfterSending' : 'Now');
    }
  });
  await Promise.all(running);
  if (failure !== undefined) throw failure.error;
}
