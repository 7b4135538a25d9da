/** Node reads arguments as UTF-8; inside paths are bytes. */
import type { ByteString } from '../../mover/syscalls.ts';

export const toBytes = (text: string): ByteString => Buffer.from(text, 'utf8').toString('latin1');
export const toText = (path: ByteString): string => Buffer.from(path, 'latin1').toString('utf8');
