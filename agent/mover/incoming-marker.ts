/**
 * A volume is marked while this run writes to it: a fresh one while it is filled, an existing one while its update is applied.
 * So a restarted mover knows its own unfinished work from somebody's data, even when all else it had is lost. The mark of an
 * update is renewed as long as the mover writes: what changed much later than the last renewal was changed by somebody else.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Clock } from '../../kube/clock.ts';
import type { DestinationOptions, DestinationSpec } from './destination-run.ts';
import { errnoOf, fail, failForbidden, failUnreadable } from './mover-error.ts';
import type { OwnIndex } from './own-index.ts';
import { type ByteString, markAttribute, type Syscalls } from './syscalls.ts';
import { incomingMarker } from './walk.ts';

export interface VolumeMark {
  readonly run: string;
  /** When the mover last said that it writes, by the clock of the file system. */
  readonly renewedNs: bigint;
}

interface AttributeMark extends VolumeMark {
  /** The root's time that is to be set back, when the marker is just being taken away. */
  readonly rootTimeNs: bigint | undefined;
}

/**
 * Marks a volume that should be new. `Unproven`: it holds files and no mark, and stays unmarked. Either somebody's data, or this
 * run was complete, took its mark away, and whoever was to tell that died with its node: what the source sends will tell.
 */
export function beginIncoming(
  spec: DestinationSpec,
  own: OwnIndex,
  options: DestinationOptions,
): 'Expected' | 'Unproven' {
  if (spec.kind === 'block') return 'Expected';
  const isEmpty = own.tree.files <= 1;
  const mark = findMark(spec.path, options.syscalls);
  if (!isEmpty && options.existing === 'Refuse' && mark?.run !== options.run) {
    if (mark === undefined) return 'Unproven';
    failNotEmpty(spec, own);
  }
  writeMarker(spec.path, options.run);
  return 'Expected';
}

export const failNotEmpty = (spec: DestinationSpec, own: OwnIndex): never =>
  fail(
    'DestinationNotEmpty',
    `Volume ${spec.name} should be new but holds ${own.tree.files - 1} files that we did not write`,
  );

/**
 * Who isn't root can't set back the times of a root that isn't theirs, so a file in it would leave a trace: an attribute of the
 * root leaves none. It says the run and the file system's time of then.
 */
function isMarkedByFile(root: ByteString): boolean {
  const user = process.geteuid?.() ?? 0;
  return user === 0 || lstatSync(Buffer.from(root, 'latin1')).uid === user;
}

/**
 * Throws `UpdateForbidden` where no update could be marked. Changes nothing: of an attribute that isn't there the kernel says so
 * only to who may remove it, on file systems that have any.
 */
export function assertMarkable({ path, kind }: DestinationSpec, syscalls: Syscalls): void {
  if (kind === 'block' || isMarkedByFile(path) || findMark(path, syscalls) !== undefined) return;
  try {
    syscalls.removeXattr(path, markAttribute);
  } catch (error) {
    const code = errnoOf(error) ?? String(error);
    if (code !== 'ENODATA') failForbidden(`mark (${code} for attribute ${markAttribute})`, path);
  }
}

/** Marks volumes whose update begins, and leaves their roots' times as they were. A raw device has no room for a mark. */
export function beginUpdate(
  volumes: readonly DestinationSpec[],
  {
    run,
    syscalls,
    rootTimes,
  }: {
    readonly run: string;
    readonly syscalls: Syscalls;
    /** By volume, in ns since 1970, as the plan found them; what a mover that was killed here left may be another. */
    readonly rootTimes: readonly (bigint | undefined)[];
  },
): void {
  for (const [index, { path, kind }] of volumes.entries()) {
    if (kind === 'block') continue;
    if (isMarkedByFile(path)) {
      const mtimeNs = rootTimes[index] ?? mtimeOf(path);
      writeMarker(path, run);
      syscalls.setMtime(path, mtimeNs);
    } else {
      setAttribute(path, run, syscalls);
      flushDirectory(path);
    }
  }
}

/** Renews the marks again and again until it is disposed. */
export function keepMarked(
  volumes: readonly DestinationSpec[],
  {
    run,
    clock,
    everyMs,
    syscalls,
  }: { readonly run: string; readonly clock: Clock; readonly everyMs: number; readonly syscalls: Syscalls },
): Disposable {
  const renew = () => {
    for (const { path, kind } of volumes) if (kind === 'files') renewMark(path, run, syscalls);
    timer = clock.after(everyMs, renew);
  };
  let timer = clock.after(everyMs, renew);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

function renewMark(root: ByteString, run: string, syscalls: Syscalls): void {
  try {
    if (isMarkedByFile(root)) writeText(markerOf(root), run, 'Renew');
    else setAttribute(root, run, syscalls);
  } catch {
    // A volume that can't be written fails what is written to it, and says so there.
  }
}

/**
 * Takes the marker away and leaves the root's times as they were. Taking the file away changes the root's; so that a mover that is killed
 * before it sets them back finds what they were, the attribute says it meanwhile, where the file system has any. What another run left
 * says nothing about the time of now.
 */
export function endIncoming(
  { path, kind }: DestinationSpec,
  { run, syscalls }: { readonly run: string; readonly syscalls: Syscalls },
): void {
  if (kind === 'block') return;
  const noted = readAttribute(path, syscalls);
  const begunWith = noted?.run === run ? noted.rootTimeNs : undefined;
  if (existsSync(markerOf(path))) {
    const mtimeNs = begunWith ?? mtimeOf(path);
    noteRootTime(path, { run, mtimeNs }, syscalls);
    rmSync(markerOf(path), { force: true });
    syscalls.setMtime(path, mtimeNs);
  } else if (begunWith !== undefined) syscalls.setMtime(path, begunWith);
  if (syscalls.getXattr(path, markAttribute) !== undefined) syscalls.removeXattr(path, markAttribute);
}

function noteRootTime(
  root: ByteString,
  { run, mtimeNs }: { readonly run: string; readonly mtimeNs: bigint },
  syscalls: Syscalls,
): void {
  const { ctimeNs } = lstatSync(Buffer.from(root, 'latin1'), { bigint: true });
  try {
    syscalls.setXattr(root, { name: markAttribute, value: Buffer.from(`${ctimeNs} ${run} mtime=${mtimeNs}`) });
  } catch {
    // On a file system without attributes a kill within the next instants costs the root its time.
  }
}

export function findMark(root: ByteString, syscalls: Syscalls): VolumeMark | undefined {
  try {
    return readMarker(markerOf(root)) ?? readAttribute(root, syscalls);
  } catch (error) {
    if (errnoOf(error) === 'EACCES') failUnreadable(`${root}/${incomingMarker}`);
    // A link is none of ours.
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ELOOP') throw error;
    return readAttribute(root, syscalls);
  }
}

/** Whoever writes to the volume may put anything by this name. */
const unfollowed = constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Longer than any run's name. */
const markerLimitBytes = 1024;

/** Undefined of what is no file. */
function readMarker(path: Buffer): VolumeMark | undefined {
  const fd = openSync(path, constants.O_RDONLY | unfollowed);
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) return undefined;
    const text = Buffer.alloc(markerLimitBytes);
    return { run: text.toString('utf8', 0, readSync(fd, text, 0, text.length, 0)), renewedNs: stats.mtimeNs };
  } finally {
    closeSync(fd);
  }
}

function writeMarker(root: ByteString, run: string): void {
  const path = markerOf(root);
  const present = lstatSync(path, { throwIfNoEntry: false });
  if (present?.isDirectory() === true)
    fail('VolumeUnwritable', `A directory lies where the mover marks a volume: remove ${incomingMarker}`, root);
  if (present?.isFile() === false) rmSync(path, { force: true });
  writeText(path, run, 'Make');
}

/** What is made anew is on its storage afterwards. */
function writeText(path: Buffer, text: string, which: 'Make' | 'Renew'): void {
  const making = which === 'Make' ? constants.O_CREAT | constants.O_TRUNC : 0;
  const fd = openSync(path, constants.O_WRONLY | unfollowed | making, 0o600);
  try {
    writeFileSync(fd, text);
    if (which === 'Make') fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What it stamps on the root is the file system's time: written again, with that. */
function setAttribute(root: ByteString, run: string, syscalls: Syscalls): void {
  for (let times = 0; times < 2; times++) {
    const { ctimeNs } = lstatSync(Buffer.from(root, 'latin1'), { bigint: true });
    syscalls.setXattr(root, { name: markAttribute, value: Buffer.from(`${ctimeNs} ${run}`) });
  }
}

function readAttribute(root: ByteString, syscalls: Syscalls): AttributeMark | undefined {
  const value = syscalls.getXattr(root, markAttribute);
  const found = value === undefined ? null : /^(\d+) (.*?)(?: mtime=(-?\d+))?$/.exec(Buffer.from(value).toString());
  if (found === null) return undefined;
  const [, renewed = '0', run = '', rootTime] = found;
  return { run, renewedNs: BigInt(renewed), rootTimeNs: rootTime === undefined ? undefined : BigInt(rootTime) };
}

function flushDirectory(path: ByteString): void {
  const fd = openSync(Buffer.from(path, 'latin1'), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export const mtimeOf = (path: ByteString): bigint => lstatSync(Buffer.from(path, 'latin1'), { bigint: true }).mtimeNs;

const markerOf = (root: ByteString): Buffer => Buffer.from(`${root}/${incomingMarker}`, 'latin1');
