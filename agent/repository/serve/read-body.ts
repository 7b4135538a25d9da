/** The body of an upload, whole or not at all, within bounds: of one, and of all that are under way. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StorkError } from '../../../kube/errors.ts';

export interface BodyLimits {
  readonly objectBytes: number;
  /** Of all uploads under way together. */
  readonly allBytes: number;
}

export interface BodyReader {
  /** Asks for the body when its sender waits to be asked. @throws `BodyTooLarge`, `ServerBusy`, `BodyCutOff` */
  read(request: IncomingMessage, response: ServerResponse): Promise<Buffer>;
}

export function bodyReader({ objectBytes, allBytes }: BodyLimits): BodyReader {
  let held = 0;
  return {
    async read(request, response) {
      const length = announced(request);
      if (length !== undefined && length > objectBytes) failLarge(objectBytes);
      // One that doesn't say how long it is may be as long as any.
      const reserved = length ?? objectBytes;
      if (held > 0 && held + reserved > allBytes) failBusy();
      held += reserved;
      try {
        if (request.headers.expect !== undefined) response.writeContinue();
        const pieces: Buffer[] = [];
        let bytes = 0;
        for await (const piece of request) {
          if (!Buffer.isBuffer(piece)) continue;
          bytes += piece.length;
          if (bytes > reserved) failLarge(objectBytes);
          pieces.push(piece);
        }
        if (!request.complete || (length !== undefined && bytes !== length)) failCut();
        return Buffer.concat(pieces);
      } catch (error) {
        if (error instanceof StorkError) throw error;
        return failCut(error);
      } finally {
        held -= reserved;
      }
    },
  };
}

function announced({ headers }: IncomingMessage): number | undefined {
  const text = headers['content-length'];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function failLarge(objectBytes: number): never {
  throw new StorkError({
    code: 'BodyTooLarge',
    message: `An object may have ${objectBytes} bytes here`,
    hint: 'Serve it with a larger --max-object-size.',
  });
}

function failBusy(): never {
  throw new StorkError({
    code: 'ServerBusy',
    message: 'Too many bytes are on their way here',
    hint: 'Try again in a moment.',
    retryable: true,
  });
}

function failCut(cause?: unknown): never {
  throw new StorkError({
    code: 'BodyCutOff',
    message: 'The upload ended before its end',
    hint: 'Send it again.',
    cause,
  });
}
