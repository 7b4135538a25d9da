/** Raw devices: what `backup --raw-device` and `restore --to-device` do with what their options say. */
import { statSync } from 'node:fs';
import { backupDevice, type DeviceBackupOptions } from '../devices/backup-device.ts';
import { findDeviceUsers } from '../devices/device-users.ts';
import { type DeviceRestoreOptions, restoreDevice } from '../devices/restore-device.ts';
import { bytesOf } from '../directory-fd.ts';
import { type CareRun, incompleteExitCode } from './care-arguments.ts';
import { progressLine, renderBytes } from './progress-line.ts';

/** Returns the exit code. */
export async function saveRawDevice(
  { ambient, answer, warn }: CareRun,
  options: Omit<DeviceBackupOptions, 'onProgress'>,
): Promise<number> {
  const path = bytesOf(options.path).toString('utf8');
  warnOfUsers(options.path, path, warn);
  const line = progressLine(ambient.stderr, ambient.clock);
  const onProgress = (bytes: number, totalBytes: number) => line.show({ what: 'saving', files: 1, bytes, totalBytes });
  const result = await backupDevice({ ...options, onProgress }).finally(line.end);
  const problems = result.problems.map((problem) => ({ ...problem, path }));
  for (const { message } of problems) warn(`${path}: ${message}`);
  answer({ ...result, problems, parent: options.parent?.id }, [
    `${path}: ${renderBytes(result.sizeBytes)} in ${result.entries} segments, ${result.newBlobs} blobs added (${renderBytes(result.bytesAdded)})`,
    `restore point ${result.snapshot.slice(0, 8)} saved`,
  ]);
  return result.problemCount > 0 ? incompleteExitCode : 0;
}

/** It is saved as it is: whether that is what its user wants, only they can tell. */
function warnOfUsers(path: string, shown: string, warn: CareRun['warn']): void {
  const stats = statSync(bytesOf(path), { throwIfNoEntry: false });
  if (stats?.isBlockDevice() !== true) return;
  for (const user of findDeviceUsers(stats))
    if (user.access === 'write')
      warn(`${shown}: ${user.shown}: what changes while it is read may be saved half; save a snapshot of it instead`);
}

/** Returns the exit code. */
export async function bringRawDevice(
  { ambient, answer, warn }: CareRun,
  options: Omit<DeviceRestoreOptions, 'onProgress'> & { readonly snapshot: { readonly id: string } },
): Promise<number> {
  const line = progressLine(ambient.stderr, ambient.clock);
  const result = await restoreDevice({
    ...options,
    onProgress: ({ phase, bytes, sizeBytes }) => line.show({ what: phase, files: 1, bytes, totalBytes: sizeBytes }),
  }).finally(line.end);
  const { id } = options.snapshot;
  const target = bytesOf(options.target).toString('utf8');
  const problems = result.problems.map((problem) => ({ ...problem, path: bytesOf(problem.path).toString('utf8') }));
  for (const { path, kind, message } of problems) warn(`${path}: ${kind}: ${message}`);
  if (result.problemCount > problems.length) warn(`and ${result.problemCount - problems.length} more`);
  const behind = result.targetBytes - result.sizeBytes;
  answer({ snapshot: id, target, ...result, problems }, [
    `restored ${id.slice(0, 8)} to ${target}: ${renderBytes(result.sizeBytes)}, ${renderBytes(result.bytesWritten)} written` +
      (behind > 0 ? `; the ${renderBytes(behind)} behind that are as they were` : ''),
    ...(result.problemCount > 0 ? [`${result.problemCount} places are not as they were saved`] : []),
    ...(result.verified && result.problemCount === 0 ? ['read back and compared: equal'] : []),
  ]);
  return result.problemCount > 0 ? incompleteExitCode : 0;
}
