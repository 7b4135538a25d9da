/** Which of a repository's objects are worth a lock against removal. Pure. */

/** What comes and goes by itself; a lock on it would keep dead weight, and stop nobody. */
const passing = ['locks/', 'stork/marks/', 'stork/waits/', 'stork/set-aside/', 'stork/reserve'];

/** Whether restoring needs the object, and it never changes: config, keys, indexes, packs, restore points, manifests. */
export const isWorthLocking = (name: string): boolean => !passing.some((prefix) => name.startsWith(prefix));
