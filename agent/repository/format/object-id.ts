/** Objects and blobs are named by the SHA-256 of their bytes, in hex. */
import { hash } from 'node:crypto';
import { failDamaged } from '../repository-error.ts';

export const idBytes = 32;
const idPattern = /^[0-9a-f]{64}$/;

export const idOf = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex');
export const binaryIdOf = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');
export const isId = (text: string): boolean => idPattern.test(text);

export function assertId(value: unknown, about: string): string {
  return typeof value === 'string' && isId(value) ? value : failDamaged('An identifier is no SHA-256 in hex', about);
}

export const idCharacters = 2 * idBytes;

/** By character; what is no digit has more than four bits. */
const hexDigits = new Uint8Array(256).fill(0x10);
for (const [value, digit] of [...'0123456789abcdef'].entries()) hexDigits[digit.charCodeAt(0)] = value;

/** The identifier that a text has in hex there, into 32 bytes; false when there is none. */
export function readIdIn(text: string, at: number, into: Uint8Array): boolean {
  let seen = 0;
  for (let byte = 0; byte < idBytes; byte++) {
    const high = hexDigits[text.charCodeAt(at + 2 * byte)] ?? 0x10;
    const low = hexDigits[text.charCodeAt(at + 2 * byte + 1)] ?? 0x10;
    seen |= high | low;
    into[byte] = (high << 4) | low;
  }
  return seen < 0x10;
}
