/** Poly1305 (RFC 8439) by Node's own OpenSSL; Node ≥ 26 only, and not in @types/node yet. */
import * as crypto from 'node:crypto';

interface Mac {
  update(data: Uint8Array): void;
  final(): Buffer;
}

const { createMac } = crypto as unknown as { createMac(algorithm: 'poly1305', key: Uint8Array): Mac };

/** @param oneTimeKey 32 bytes; must never authenticate two messages */
export function poly1305(oneTimeKey: Uint8Array, message: Uint8Array): Buffer {
  const mac = createMac('poly1305', oneTimeKey);
  mac.update(message);
  return mac.final();
}
