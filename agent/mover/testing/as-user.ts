/** For tests: does something as who isn't root, in this process, which must be root. */

/** With no other groups than the named ones, the first of which new files get. */
export async function asUser<T>(user: number, groups: readonly number[], work: () => Promise<T>): Promise<T> {
  const { setgroups, setegid, seteuid, getgroups } = process;
  if (!setgroups || !setegid || !seteuid || !getgroups) throw new Error('not on this platform');
  const before = getgroups();
  setgroups([...groups]);
  setegid(groups[0] ?? user);
  seteuid(user);
  try {
    return await work();
  } finally {
    seteuid(0);
    setegid(0);
    setgroups(before);
  }
}
