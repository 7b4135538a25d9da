/**
 * Who uses a block device, or an image below a loop device: mounts, devices on top of it, swap, and processes that may write to it.
 * What another container has mounted may not be seen by name; the kernel refuses an exclusive open then.
 */
import { readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';

export interface DeviceUser {
  readonly what: 'mount' | 'holder' | 'swap' | 'process';
  /** In words, with its name. */
  readonly shown: string;
  /** Whether it may change the device: a file system that is mounted read-only does not. */
  readonly access: 'read' | 'write';
}

export interface MountedDevice {
  /** `8:1`. */
  readonly device: string;
  readonly place: string;
  readonly isReadOnly: boolean;
}

/** Source: proc_pid_mountinfo(5). Read-only is what the file system is, not one of its mounts. */
export function parseMounts(mountinfo: string): readonly MountedDevice[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , device, , place] = before.split(' ');
    if (device === undefined || place === undefined) return [];
    const options = after.split(' ')[2] ?? '';
    return [{ device, place: plainPath(place), isReadOnly: options.split(',').includes('ro') }];
  });
}

const plainPath = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Those of the device and of its partitions. */
export function findDeviceUsers({ rdev }: Pick<Stats, 'rdev'>): readonly DeviceUser[] {
  const own = numbersOf(rdev);
  const partitions = listed(`/sys/dev/block/${own}`).flatMap((name) => {
    const device = read(`/sys/dev/block/${own}/${name}/dev`).trim();
    return read(`/sys/dev/block/${own}/${name}/partition`) === '' ? [] : [{ device, name }];
  });
  return [{ device: own, name: '' }, ...partitions].flatMap(({ device, name }) => {
    const where = name === '' ? '' : ` (${name})`;
    const shown = (user: DeviceUser): DeviceUser => ({ ...user, shown: `${user.shown}${where}` });
    return [...mountsOf(device), ...holdersOf(device), ...swapOf(device), ...writersOf(device)].map(shown);
  });
}

/** Loop devices on a file: what writes to one does not see what writes to the other. */
export const findImageUsers = ({ dev, ino }: Pick<Stats, 'dev' | 'ino'>): readonly DeviceUser[] =>
  loopsOn((backing) => backing.dev === dev && backing.ino === ino);

const loopsOn = (isIt: (backing: Stats) => boolean): readonly DeviceUser[] =>
  listed('/sys/block').flatMap((name): DeviceUser[] => {
    const file = read(`/sys/block/${name}/loop/backing_file`).trim();
    const backing = file === '' ? undefined : statOf(file);
    if (backing === undefined || !isIt(backing)) return [];
    return [{ what: 'holder', shown: `the loop device /dev/${name} is on it`, access: 'write' }];
  });

/** As Linux packs them into st_rdev (gnu_dev_major). */
function numbersOf(rdev: number): string {
  const wide = BigInt(rdev);
  const major = ((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn);
  const minor = (wide & 0xffn) | ((wide >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

function mountsOf(device: string): readonly DeviceUser[] {
  // The machine's own namespace too, where we may look: a container sees its own mounts only.
  const mounts = ['/proc/self/mountinfo', '/proc/1/mountinfo'].flatMap((file) => parseMounts(read(file)));
  const places = new Map(mounts.filter((one) => one.device === device).map((one) => [one.place, one]));
  return [...places.values()].map(({ place, isReadOnly }) => ({
    what: 'mount',
    shown: `mounted at ${place}`,
    access: isReadOnly ? 'read' : 'write',
  }));
}

const holdersOf = (device: string): readonly DeviceUser[] => [
  ...listed(`/sys/dev/block/${device}/holders`).map(
    (name): DeviceUser => ({ what: 'holder', shown: `the device ${name} is on it`, access: 'write' }),
  ),
  ...loopsOn((backing) => isDevice(backing, device)),
];

function swapOf(device: string): readonly DeviceUser[] {
  const [, ...lines] = read('/proc/swaps').split('\n');
  const isOn = lines.some((line) => {
    return isDevice(statOf(plainPath(line.split(/\s/, 1)[0] ?? '')), device);
  });
  return isOn ? [{ what: 'swap', shown: 'used as swap', access: 'write' }] : [];
}

/** Virtual machines and databases open devices without telling the kernel that nobody else may. */
function writersOf(device: string): readonly DeviceUser[] {
  const own = String(process.pid);
  return listed('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== own)
    .filter((pid) => listed(`/proc/${pid}/fd`).some((fd) => isWriter(pid, fd, device)))
    .map((pid) => ({
      what: 'process',
      shown: `opened for writing by process ${pid} (${read(`/proc/${pid}/comm`).trim()})`,
      access: 'write',
    }));
}

function isWriter(pid: string, fd: string, device: string): boolean {
  const path = `/proc/${pid}/fd/${fd}`;
  if (!/^\/dev\/|\/volumeDevices\//.test(linkOf(path))) return false;
  if (!isDevice(statOf(path), device)) return false;
  const flags = /^flags:\s*([0-7]+)/m.exec(read(`/proc/${pid}/fdinfo/${fd}`))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & 3) !== 0;
}

const isDevice = (stats: Stats | undefined, device: string): boolean =>
  stats?.isBlockDevice() === true && numbersOf(stats.rdev) === device;

// What goes away while we look, or isn't ours to see, is no finding.
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
