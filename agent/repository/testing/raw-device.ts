/** For tests: raw devices saved and restored with the usual options. tidy: ambient-calls because tests see the real time. */
import { systemClock } from '../../../kube/clock.ts';
import { backupDevice, type DeviceBackupOptions, type DeviceBackupResult } from '../devices/backup-device.ts';
import { type DeviceRestoreOptions, type DeviceRestoreResult, restoreDevice } from '../devices/restore-device.ts';
import type { Repository } from '../repository.ts';
import { latestOf } from './save-and-restore.ts';

export const saveDevice = (
  repository: Repository,
  path: string,
  options: Partial<DeviceBackupOptions> = {},
): Promise<DeviceBackupResult> =>
  backupDevice({
    repository,
    path,
    describe: { time: new Date(), hostname: 'h', username: 'u', tags: [], excludes: [] },
    parent: undefined,
    level: 1,
    threads: 1,
    signal: new AbortController().signal,
    clock: systemClock(),
    segmentBytes: 1024 * 1024,
    ...options,
  });

/** Of the latest snapshot, every problem ending it. */
export async function bringDevice(
  repository: Repository,
  from: string,
  target: string,
  options: Partial<DeviceRestoreOptions> = {},
): Promise<DeviceRestoreResult> {
  return await restoreDevice({
    repository,
    snapshot: await latestOf(repository),
    from,
    target,
    verify: true,
    problems: 'fail',
    threads: 1,
    signal: new AbortController().signal,
    ...options,
  });
}
