/** JSON bodies within a cap: read from a stream, never more in memory than allowed. */
import type { Readable } from 'node:stream';
import { StorkError } from '../../kube/errors.ts';

/** @throws StorkError `MessageTooLarge`, `InvalidPeerMessage`, and the stream's own error */
export async function readJson(stream: Readable, limitBytes: number): Promise<unknown> {
  const bytes = await readCapped(stream, limitBytes);
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new StorkError({ code: 'InvalidPeerMessage', message: 'A message is not JSON', cause });
  }
}

export function readCapped(stream: Readable, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    stream.on('data', (piece: Buffer) => {
      sizeBytes += piece.length;
      if (sizeBytes <= limitBytes) return void pieces.push(piece);
      stream.pause();
      stream.removeAllListeners('data');
      reject(tooLarge(limitBytes));
    });
    stream.once('end', () => resolve(Buffer.concat(pieces)));
    stream.once('error', reject);
    // After `end` this changes nothing any more.
    stream.once('close', () =>
      reject(new StorkError({ code: 'PeerConnectionLost', message: 'A message broke off', retryable: true })),
    );
  });
}

function tooLarge(limitBytes: number): StorkError {
  return new StorkError({ code: 'MessageTooLarge', message: `A message is larger than ${limitBytes} bytes` });
}
