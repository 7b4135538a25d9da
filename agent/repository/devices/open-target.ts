/** Opens what a raw device is restored to: a block device that nobody uses, or an image file, which is made when it isn't there. */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, statSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import type { ByteString, Syscalls } from '../../mover/syscalls.ts';
import { bytesOf } from '../directory-fd.ts';
import { failRepository } from '../repository-error.ts';
import { type DeviceUser, findDeviceUsers, findImageUsers } from './device-users.ts';

export interface TargetDevice extends Disposable {
  readonly fd: number;
  readonly kind: 'device' | 'image';
  /** All of it is zeros. */
  readonly isNew: boolean;
  readonly sizeBytes: number;
}

/**
 * A device is opened exclusively: nobody can mount it meanwhile. An image gets the device's size.
 * @throws `TargetInUse` naming by whom, `TargetTooSmall`, `TargetUnwritable`; nothing is changed then
 */
export function openTargetDevice(path: ByteString, neededBytes: number, syscalls: Syscalls): TargetDevice {
  const shown = bytesOf(path).toString('utf8');
  const stats = statSync(bytesOf(path), { throwIfNoEntry: false });
  const target = (fd: number, rest: Pick<TargetDevice, 'kind' | 'isNew' | 'sizeBytes'>): TargetDevice => ({
    fd,
    ...rest,
    [Symbol.dispose]: () => closeSync(fd),
  });
  if (stats === undefined || stats.isFile()) {
    if (stats !== undefined) refuseUsed(findImageUsers(stats), shown);
    const flags = stats === undefined ? constants.O_CREAT | constants.O_EXCL : 0;
    const fd = openOrFail(path, flags, shown);
    resize(fd, neededBytes, shown);
    return target(fd, { kind: 'image', isNew: stats === undefined || stats.size === 0, sizeBytes: neededBytes });
  }
  if (!stats.isBlockDevice())
    return failRepository('TargetUnwritable', 'It is neither a block device nor a regular file', shown);
  refuseUsed(findDeviceUsers(stats), shown);
  const fd = openOrFail(path, constants.O_EXCL, shown);
  try {
    const sizeBytes = syscalls.blockDeviceSize(fd, path);
    if (fstatSync(fd).rdev !== stats.rdev) refuseUsed([replaced], shown);
    if (sizeBytes < neededBytes)
      failRepository(
        'TargetTooSmall',
        `It has ${sizeBytes} bytes, and what was saved has ${neededBytes}`,
        shown,
        'Choose one that is at least as large.',
      );
    return target(fd, { kind: 'device', isNew: false, sizeBytes });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Holes are no promise of room: a full disk is told when it is written to. Closes what can't be so large. */
function resize(fd: number, sizeBytes: number, shown: string): void {
  try {
    ftruncateSync(fd, sizeBytes);
  } catch (error) {
    closeSync(fd);
    failRepository('TargetUnwritable', `It can't get ${sizeBytes} bytes: ${errnoOf(error) ?? String(error)}`, shown);
  }
}

const replaced: DeviceUser = { what: 'process', shown: 'another device took its name just now', access: 'write' };

function refuseUsed(users: readonly DeviceUser[], shown: string): void {
  if (users.length === 0) return;
  failRepository(
    'TargetInUse',
    `It is in use: ${users.map((user) => user.shown).join('; ')}`,
    shown,
    'Unmount it, or end what uses it, and restore again.',
  );
}

function openOrFail(path: ByteString, flags: number, shown: string): number {
  try {
    return openSync(bytesOf(path), constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY | flags, 0o600);
  } catch (error) {
    const code = errnoOf(error) ?? String(error);
    if (code === 'EBUSY')
      refuseUsed(
        [{ what: 'holder', shown: 'the kernel says so; perhaps a container mounts it', access: 'write' }],
        shown,
      );
    return failRepository('TargetUnwritable', `It can't be opened for writing: ${code}`, shown);
  }
}
