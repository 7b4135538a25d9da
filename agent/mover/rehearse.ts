/**
 * Whether the one as whom a mover runs may carry out a plan: asked when everything is staged and nothing was changed. Root may.
 * Who isn't root may meet a file in the middle of an update that it may not write, and half of two points is no point. What
 * can't be set (owners, modes, times, attributes, devices) is no hindrance: that is counted (settle.ts). Changes nothing.
 */
import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { type Entry, parentOf } from './entry.ts';
import { failDevice, failForbidden } from './mover-error.ts';
import { decodeOperation, type Operation } from './plan.ts';
import { openRecordCursor } from './record-file.ts';
import { stagingFiles } from './staging.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import type { VolumeKind } from './walk.ts';

interface Stage {
  readonly root: ByteString;
  readonly user: number;
  readonly syscalls: Syscalls;
  /** Devices of the plan, which nobody but root may make. */
  readonly devices: Set<ByteString>;
}

/** @param directory of the volume's staging. Throws `UpdateForbidden` naming the first file that it fails at. */
export function assertPermitted(
  volume: { readonly path: ByteString; readonly kind: VolumeKind },
  directory: string,
  syscalls: Syscalls,
): void {
  const user = process.geteuid?.() ?? 0;
  if (user === 0) return;
  const root = volume.path;
  if (volume.kind === 'block') {
    if (!syscalls.mayAccess(root, 'readWrite')) failDevice('write', root);
    return;
  }
  const stage: Stage = { root, user, syscalls, devices: new Set() };
  const plan = openRecordCursor(stagingFiles(directory).plan);
  try {
    for (let next = plan.next(); next !== undefined; next = plan.next()) rehearse(decodeOperation(next.record), stage);
  } finally {
    plan.close();
  }
}

function rehearse(operation: Operation, stage: Stage): void {
  switch (operation.do) {
    case 'remove':
      assertRemovable(operation.path, stage);
      break;
    case 'makeDirectory':
      if (statOf(operation.path, stage)?.isDirectory() !== true) assertNamesChange(operation.path, stage);
      break;
    case 'write':
      assertWritable(operation.target.path, stage);
      if (operation.target.finish !== undefined) assertReadableThen(operation.target.finish, stage);
      break;
    case 'create':
      assertCreatable(operation.entry, stage);
      break;
    case 'link':
      assertLinkable(operation.entry, stage);
      break;
    case 'finish':
      assertFinishable(operation.entry, stage);
      break;
    default:
      operation satisfies never;
  }
}

const nameOf = (path: ByteString, { root }: Stage): ByteString => (path === '' ? root : `${root}/${path}`);

const statOf = (path: ByteString, stage: Stage): BigIntStats | undefined =>
  lstatSync(Buffer.from(nameOf(path, stage), 'latin1'), { bigint: true, throwIfNoEntry: false });

const isOwn = (stats: BigIntStats, { user }: Stage): boolean => stats.uid === BigInt(user);

/** A directory that isn't there yet, or is something else, will be ours. */
function assertNamesChange(path: ByteString, stage: Stage): BigIntStats | undefined {
  const directory = parentOf(path);
  const stats = statOf(directory, stage);
  if (stats?.isDirectory() !== true) return undefined;
  const name = nameOf(directory, stage);
  if (!stage.syscalls.mayAccess(name, 'change')) failForbidden('change names in', name);
  return stats;
}

const stickyBit = 0o1000n;

/** The name goes away, with all below it. */
function assertRemovable(path: ByteString, stage: Stage): void {
  const stats = statOf(path, stage);
  if (stats === undefined) return;
  const directory = assertNamesChange(path, stage);
  const isGuarded = directory !== undefined && (directory.mode & stickyBit) !== 0n && !isOwn(directory, stage);
  if (isGuarded && !isOwn(stats, stage)) failForbidden('remove', nameOf(path, stage));
  if (!stats.isDirectory()) return;
  for (const name of readdirSync(Buffer.from(nameOf(path, stage), 'latin1'), { encoding: 'latin1' }))
    assertRemovable(`${path}/${name}`, stage);
}

/** Symlinks and special files are made anew. */
function assertCreatable(entry: Entry, stage: Stage): void {
  const { path, type, target } = entry;
  if (type === 'file') {
    assertWritable(path, stage);
    assertReadableThen(entry, stage);
    return;
  }
  const present = statOf(path, stage);
  if (type === 'character' || type === 'block') {
    // It would be gone.
    if (present !== undefined) failForbidden('make anew the device', nameOf(path, stage));
    stage.devices.add(path);
  }
  if (type === 'symlink' && present?.isSymbolicLink() === true && target === readlink(path, stage)) return;
  if (present === undefined) assertNamesChange(path, stage);
  else assertRemovable(path, stage);
}

function readlink(path: ByteString, stage: Stage): ByteString {
  return readlinkSync(Buffer.from(nameOf(path, stage), 'latin1'), 'latin1');
}

/** Of a file of one's own the mode is no hindrance: it can be changed (settle.ts). */
function assertWritable(path: ByteString, stage: Stage): void {
  const stats = statOf(path, stage);
  const name = nameOf(path, stage);
  if (stats?.isFile() !== true) assertNamesChange(path, stage);
  else if (!isOwn(stats, stage) && !stage.syscalls.mayAccess(name, 'readWrite')) failForbidden('write', name);
}

/** What was written is read back in the end, by the same user. What isn't there yet will be theirs. */
function assertReadableThen(entry: Entry, stage: Stage): void {
  const stats = statOf(entry.path, stage);
  if (stats !== undefined && !isOwn(stats, stage)) return;
  const needed = entry.type === 'directory' ? 0o500 : 0o400;
  if ((entry.mode & needed) !== needed)
    failForbidden(`read again, once it has mode ${entry.mode.toString(8)},`, nameOf(entry.path, stage));
}

/** `fs.protected_hardlinks`: of others' files only plain ones, which one may write. */
function assertLinkable({ path, target }: Entry, stage: Stage): void {
  if (stage.devices.has(target)) failForbidden('make the device', nameOf(target, stage));
  const [present, first] = [statOf(path, stage), statOf(target, stage)];
  if (present !== undefined && present.ino === first?.ino) return;
  if (present === undefined) assertNamesChange(path, stage);
  else assertRemovable(path, stage);
  if (first === undefined || isOwn(first, stage)) return;
  const name = nameOf(target, stage);
  const isPlain = first.isFile() && (first.mode & 0o4000n) === 0n && (first.mode & 0o2010n) !== 0o2010n;
  if (!isPlain || !stage.syscalls.mayAccess(name, 'readWrite')) failForbidden('link', name);
}

function assertFinishable(entry: Entry, stage: Stage): void {
  const stats = statOf(entry.path, stage);
  if (entry.type === 'file' && stats?.isFile() === true && stats.size !== BigInt(entry.size))
    assertWritable(entry.path, stage);
  if (entry.type === 'file' || entry.type === 'directory') assertReadableThen(entry, stage);
}
