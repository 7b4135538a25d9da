/** Opens what is saved byte for byte: a block device, or a regular file that stands for one. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import type { ByteString, Syscalls } from '../../mover/syscalls.ts';
import { bytesOf } from '../directory-fd.ts';
import { failRepository } from '../repository-error.ts';
import { deviceLimitBytes } from './device-layout.ts';

export interface OpenDevice extends Disposable {
  readonly fd: number;
  readonly sizeBytes: number;
  readonly kind: 'device' | 'image';
}

/**
 * Symlinks are followed: `/dev/disk/by-id/…` are such.
 * @throws `DeviceUnreadable`, `NoDevice`, `DeviceTooLarge`
 */
export function openDevice(path: ByteString, syscalls: Syscalls): OpenDevice {
  const shown = bytesOf(path).toString('utf8');
  const fd = openOrFail(path, shown);
  try {
    const kind = kindOf(fd, shown);
    const sizeBytes = deviceSize(fd, path, kind, syscalls);
    if (sizeBytes > deviceLimitBytes)
      failRepository('DeviceTooLarge', `It has ${sizeBytes} bytes; at most ${deviceLimitBytes} can be saved`, shown);
    return { fd, sizeBytes, kind, [Symbol.dispose]: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** In bytes, as it is now. */
export const deviceSize = (fd: number, path: ByteString, kind: OpenDevice['kind'], syscalls: Syscalls): number =>
  kind === 'image' ? fstatSync(fd).size : syscalls.blockDeviceSize(fd, path);

function openOrFail(path: ByteString, shown: string): number {
  try {
    // A fifo must not make us wait.
    return openSync(bytesOf(path), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const code = errnoOf(error) ?? String(error);
    const hint = code === 'EACCES' ? 'Run as root, or as a member of the group that owns the device.' : undefined;
    return failRepository('DeviceUnreadable', `The device can't be opened: ${code}`, shown, hint);
  }
}

function kindOf(fd: number, shown: string): OpenDevice['kind'] {
  const stats = fstatSync(fd);
  if (stats.isBlockDevice()) return 'device';
  if (stats.isFile()) return 'image';
  return failRepository(
    'NoDevice',
    'It is neither a block device nor a regular file',
    shown,
    'Give directories and other names without --raw-device.',
  );
}
