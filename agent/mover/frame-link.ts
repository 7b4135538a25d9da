/**
 * Frames over one duplex byte stream: 4 bytes length, 1 byte type, payload. Sending waits while the stream's buffer is full,
 * receiving pulls: backpressure reaches from one disk to the other. A stream that ends, fails, or stays silent for
 * `silenceLimitMs` makes every call reject with LinkBroken: the caller re-opens; nothing else means "try again".
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { fail } from './mover-error.ts';

export const frameTypes = { control: 1, items: 2, wants: 3, data: 4, settled: 5, alive: 6, bundle: 7 } as const;
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

export interface Frame {
  readonly type: FrameType;
  readonly payload: Buffer;
}

export class LinkBroken extends Error {
  override readonly name = 'LinkBroken';
}

export interface FrameLink {
  send(type: FrameType, ...chunks: readonly Uint8Array[]): Promise<void>;
  receive(): Promise<Frame>;
  /** `AfterSending`: what was sent should still arrive; only while the peer listens. */
  close(ending?: 'Now' | 'AfterSending'): void;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

const headerBytes = 5;
const messageLimitBytes = 1024 * 1024;
/** A pack: one segment of raw bytes, the list of its parts, slack for incompressible content. */
const dataLimitBytes = 5 * 1024 * 1024;
const aliveEveryMs = 10_000;
const silenceLimitMs = 45_000;
const gentleEndMs = 1_000;

export function createFrameLink(stream: Duplex, clock: Clock): FrameLink {
  let broken: LinkBroken | undefined;
  let bytesSent = 0;
  let bytesReceived = 0;
  let silence: Disposable | undefined;
  let heardMs = 0;
  let alive: Disposable | undefined;
  const onBroken = new Set<() => void>();
  const breakWith = (why: string, cause?: unknown, ending: 'Now' | 'AfterSending' = 'Now') => {
    if (broken !== undefined) return;
    broken = new LinkBroken(why, { cause });
    silence?.[Symbol.dispose]();
    alive?.[Symbol.dispose]();
    for (const wake of onBroken) wake();
    if (ending === 'Now') stream.destroy();
    else endGently(stream, clock);
  };
  stream.on('error', (error) => breakWith('The stream failed', error));
  stream.on('close', () => breakWith('The stream was closed'));
  // Only while we listen: a receiver busy with its disk doesn't hear, and that is no fault of the stream.
  const watchSilence = () => {
    silence?.[Symbol.dispose]();
    if (broken !== undefined) return;
    const leftMs = heardMs + silenceLimitMs - clock.monotonicMs();
    if (leftMs > 0) silence = clock.after(leftMs, watchSilence);
    else breakWith('The stream is silent');
  };
  const noteHeard = () => {
    heardMs = clock.monotonicMs();
  };
  const source = readExactly(stream, noteHeard);
  /** Resolves early when the link breaks, so that no caller hangs. */
  const orBroken = async (wait: (wake: () => void) => void): Promise<void> => {
    await new Promise<void>((resolve) => {
      const wake = () => {
        onBroken.delete(wake);
        resolve();
      };
      onBroken.add(wake);
      wait(wake);
    });
    if (broken !== undefined) throw broken;
  };
  const send = async (type: FrameType, ...chunks: readonly Uint8Array[]) => {
    if (broken !== undefined) throw broken;
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (length > limitOf(type)) fail('ProtocolError', `A frame of ${length} bytes is too large to send`);
    const header = Buffer.alloc(headerBytes);
    header.writeUInt32LE(length, 0);
    header.writeUInt8(type, 4);
    bytesSent += headerBytes + length;
    stream.cork();
    stream.write(header);
    for (const chunk of chunks) stream.write(chunk);
    stream.uncork();
    if (stream.writableNeedDrain) await orBroken((wake) => stream.once('drain', wake));
  };
  const scheduleAlive = () => {
    if (broken !== undefined) return;
    alive = clock.after(aliveEveryMs, () => {
      // Behind a full buffer there is traffic enough.
      if (!stream.writableNeedDrain) send(frameTypes.alive).catch(() => undefined);
      scheduleAlive();
    });
  };
  scheduleAlive();
  return {
    send,
    async receive() {
      for (;;) {
        if (broken !== undefined) throw broken;
        noteHeard();
        watchSilence();
        const frame = await readFrame(source).catch((error: unknown) => {
          breakWith('The stream failed', error);
          throw error instanceof StorkError ? error : (broken ?? error);
        });
        silence?.[Symbol.dispose]();
        if (frame !== undefined) bytesReceived += headerBytes + frame.payload.length;
        if (frame === undefined) {
          breakWith('The stream ended');
          continue;
        }
        if (frame.type !== frameTypes.alive) return frame;
      }
    },
    close: (ending) => breakWith('The stream was closed by us', undefined, ending),
    get bytesSent() {
      return bytesSent;
    },
    get bytesReceived() {
      return bytesReceived;
    },
  };
}

/** What was sent last, a failure's cause for example, should still arrive. */
function endGently(stream: Duplex, clock: Clock): void {
  if (stream.destroyed) return;
  const timer = clock.after(gentleEndMs, () => stream.destroy());
  stream.once('close', () => timer[Symbol.dispose]());
  stream.end(() => stream.destroy());
}

function limitOf(type: number): number {
  if (type === frameTypes.bundle) return dataLimitBytes + 2 * messageLimitBytes;
  return type === frameTypes.data ? dataLimitBytes : messageLimitBytes;
}

async function readFrame(read: (length: number) => Promise<Buffer | undefined>): Promise<Frame | undefined> {
  const header = await read(headerBytes);
  if (header === undefined) return undefined;
  const type = Object.values(frameTypes).find((known) => known === header[4]);
  if (type === undefined) return fail('ProtocolError', `A frame has the unknown type ${header[4]}`);
  const length = header.readUInt32LE(0);
  if (length > limitOf(type)) return fail('ProtocolError', `A frame of ${length} bytes is too large`);
  const payload = length === 0 ? Buffer.alloc(0) : await read(length);
  return payload === undefined ? undefined : { type, payload };
}

/** Reads exact lengths off a stream; undefined when it ends first. */
function readExactly(stream: Duplex, onBytes: () => void): (length: number) => Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let buffered = 0;
  const iterator: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  return async (length) => {
    while (buffered < length) {
      const next = await iterator.next();
      if (next.done) return undefined;
      onBytes();
      chunks.push(next.value);
      buffered += next.value.length;
    }
    buffered -= length;
    return takeBytes(chunks, length);
  };
}

function takeBytes(chunks: Buffer[], length: number): Buffer {
  const taken: Buffer[] = [];
  let missing = length;
  while (missing > 0) {
    const chunk = chunks.shift();
    if (chunk === undefined) break;
    taken.push(chunk.subarray(0, missing));
    if (chunk.length > missing) chunks.unshift(chunk.subarray(missing));
    missing -= Math.min(missing, chunk.length);
  }
  const [only] = taken;
  return taken.length === 1 && only !== undefined ? only : Buffer.concat(taken, length);
}
