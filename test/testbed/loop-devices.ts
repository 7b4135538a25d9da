/**
 * Loop devices of a bed. A node's own frees itself with its mount; those below
 * raw block volumes do not: the CSI driver attaches one to the volume's file,
 * and the kubelet another on top of that device, to hold it.
 */
import { stat } from 'node:fs/promises';
import { runCommand, tryCommand } from './run-command.ts';

interface LoopDevice {
  readonly name: string;
  readonly file: string;
  readonly inode: number;
  /** The backing file is itself a device node. */
  readonly isOnDevice: boolean;
}

/** @param folders parts of paths, such as `/stork-testbed/`, that only files of the bed have. */
export async function listLoopDevices(folders: readonly string[]): Promise<readonly string[]> {
  const all = await listAll();
  const own = all.filter(({ file }) => folders.some((folder) => file.includes(folder)));
  const inodes = await Promise.all(own.map(async ({ name }) => (await stat(name)).ino));
  const onTop = all.filter(({ isOnDevice, inode }) => isOnDevice && inodes.includes(inode));
  return [...onTop, ...own].map(({ name }) => name);
}

/** Frees what nobody has open any more, the upper ones first. */
export async function detachLoopDevices(folders: readonly string[]): Promise<void> {
  for (const name of await listLoopDevices(folders)) await tryCommand('losetup', ['-d', name]);
}

async function listAll(): Promise<readonly LoopDevice[]> {
  const columns = 'NAME,BACK-INO,BACK-MAJ:MIN,BACK-FILE';
  const listing = await runCommand('losetup', ['--list', '--json', '--output', columns]);
  if (listing.trim() === '') return [];
  const { dev } = await stat('/dev/null');
  const devices = `${dev >> 8}:${dev & 0xff}`;
  const parsed: { readonly loopdevices: readonly Readonly<Record<string, unknown>>[] } = JSON.parse(listing);
  return parsed.loopdevices.map((row) => ({
    name: String(row.name),
    inode: Number(row['back-ino']),
    file: String(row['back-file']),
    isOnDevice: String(row['back-maj:min']).trim() === devices,
  }));
}
