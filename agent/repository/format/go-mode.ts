/** Go's os.FileMode, as tree nodes carry it: permission bits as ours, but type, setuid, setgid and sticky elsewhere. */
const goBits = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  character: 2 ** 21,
  sticky: 2 ** 20,
  irregular: 2 ** 19,
} as const;
const typeBits = {
  dir: goBits.directory,
  file: 0,
  symlink: goBits.symlink,
  fifo: goBits.fifo,
  socket: goBits.socket,
  dev: goBits.device,
  chardev: goBits.device + goBits.character,
  /** What only other systems have. */
  irregular: goBits.irregular,
} as const;

/** @param mode st_mode's low twelve bits */
export function goModeOf(type: keyof typeof typeBits, mode: number): number {
  const special =
    ((mode & 0o4000) === 0 ? 0 : goBits.setuid) +
    ((mode & 0o2000) === 0 ? 0 : goBits.setgid) +
    ((mode & 0o1000) === 0 ? 0 : goBits.sticky);
  return typeBits[type] + special + (mode & 0o777);
}

/** st_mode's low twelve bits. */
export function unixModeOf(goMode: number): number {
  const has = (bit: number) => Math.floor(goMode / bit) % 2 === 1;
  return (
    (goMode % 0o1000) +
    (has(goBits.setuid) ? 0o4000 : 0) +
    (has(goBits.setgid) ? 0o2000 : 0) +
    (has(goBits.sticky) ? 0o1000 : 0)
  );
}
