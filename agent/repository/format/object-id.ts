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
