/**
 * The few messages before HTTP/2 starts on a channel: four bytes of length, then JSON, at most 16 KiB. Read byte-exactly:
 * what follows a frame stays in the socket for whoever reads next. Writing resolves when the bytes have left the process,
 * because Node 26 aborts when HTTP/2 takes over a socket with a write still in progress.
 */
import type { TLSSocket } from 'node:tls';
import { parse, type Schema } from '../../../crds/schema/index.ts';
import type { Clock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';

export const frameLimitBytes = 16 * 1024;
const headerBytes = 4;

export interface FrameDeadline {
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** @throws StorkError `InvalidFrame` for what isn't a frame of this schema, `PeerTimeout`, `PeerConnectionLost` */
export async function readFrame<Out>(
  socket: TLSSocket,
  schema: Schema<Out, unknown>,
  deadline: FrameDeadline,
): Promise<Out> {
  const header = await readExactly(socket, headerBytes, deadline);
  const length = header.readUInt32BE(0);
  if (length === 0 || length > frameLimitBytes) throw invalidFrame(`announces ${length} bytes`);
  const body = await readExactly(socket, length, deadline);
  try {
    return parse(schema, JSON.parse(body.toString('utf8')));
  } catch (error) {
    throw invalidFrame(error instanceof SyntaxError ? 'is not JSON' : 'has wrong fields', error);
  }
}

export function writeFrame(socket: TLSSocket, message: unknown): Promise<void> {
  const body = Buffer.from(JSON.stringify(message));
  if (body.length > frameLimitBytes) throw invalidFrame(`would be ${body.length} bytes`);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32BE(body.length, 0);
  return new Promise((resolve, reject) => {
    socket.write(Buffer.concat([header, body]), (error) => {
      if (error) reject(connectionLost(error));
      else resolve();
    });
  });
}

function readExactly(
  socket: TLSSocket,
  sizeBytes: number,
  { clock, deadlineMs, signal }: FrameDeadline,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      timer[Symbol.dispose]();
      socket.off('readable', read).off('end', onEnd).off('close', onEnd).off('error', onEnd);
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const read = () => {
      if (socket.readableLength < sizeBytes) {
        // A paused-mode read(0) asks for more without taking what is there.
        socket.read(0);
        return;
      }
      const bytes = socket.read(sizeBytes);
      if (Buffer.isBuffer(bytes)) end(() => resolve(bytes));
    };
    const onEnd = (error?: unknown) => end(() => reject(connectionLost(error instanceof Error ? error : undefined)));
    const onAbort = () => end(() => reject(signal?.reason));
    const timer = clock.after(deadlineMs, () => end(() => reject(tooLate())));
    if (signal?.aborted) return onAbort();
    if (socket.destroyed || socket.readableEnded) return onEnd();
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.on('readable', read).on('end', onEnd).on('close', onEnd).on('error', onEnd);
    read();
  });
}

export function connectionLost(cause?: Error): StorkError {
  return new StorkError({
    code: 'PeerConnectionLost',
    message: 'The connection to the peer was lost',
    retryable: true,
    cause,
  });
}

const tooLate = () =>
  new StorkError({ code: 'PeerTimeout', message: 'The peer did not answer in time', retryable: true });

function invalidFrame(problem: string, cause?: unknown): StorkError {
  return new StorkError({ code: 'InvalidFrame', message: `A message of the peer ${problem}`, cause });
}
