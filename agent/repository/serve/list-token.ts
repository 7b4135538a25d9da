/** Where a list goes on, in a form that only we can have written: a store's own token may be a path. */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface ListTokens {
  write(prefix: string, from: string): string;
  /** Undefined when we didn't write it, or for another prefix. */
  read(prefix: string, token: string): string | undefined;
}

const tokenAtMost = 64 * 1024;

/** @param secret the same after a restart, so that a list can go on */
export function listTokens(secret: Uint8Array): ListTokens {
  const sign = (prefix: string, from: string) => createHmac('sha256', secret).update(`${prefix}\0${from}`).digest();
  return {
    write: (prefix, from) => Buffer.concat([sign(prefix, from), Buffer.from(from)]).toString('base64url'),
    read(prefix, token) {
      if (token.length > tokenAtMost) return undefined;
      const bytes = Buffer.from(token, 'base64url');
      const from = bytes.subarray(32).toString('utf8');
      return bytes.length > 32 && timingSafeEqual(bytes.subarray(0, 32), sign(prefix, from)) ? from : undefined;
    },
  };
}
