/**
 * The folders on the host that nodes mount their own over, such as
 * /var/lib/kubelet. They have to exist; those that we make are empty, are
 * remembered, and are removed with the last bed.
 *
 * While a bed runs they must stay: removing a folder takes away what is mounted
 * on it in every other mount namespace.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from './lock.ts';
import { nodeMounts, volumesFolder } from './node-configs.ts';

interface Register {
  readonly made: readonly string[];
  /** State folders of the beds that use them. */
  readonly users: readonly string[];
}

const registerFile = '/var/lib/stork-testbed.mount-points.json';

export function ensureMountPoints(stateFolder: string): Promise<void> {
  return changeRegister(async ({ made, users }) => {
    const added: string[] = [];
    for (const folder of [...nodeMounts.map(([, seenAt]) => seenAt), volumesFolder]) {
      const first = await mkdir(folder, { recursive: true });
      if (first !== undefined) added.push(...pathsBetween(first, folder));
    }
    return { made: [...made, ...added], users: [...users.filter((user) => user !== stateFolder), stateFolder] };
  });
}

export function removeMountPoints(stateFolder: string): Promise<void> {
  return changeRegister(async ({ made, users }) => {
    const others = users.filter((user) => user !== stateFolder && existsSync(user));
    if (others.length > 0) return { made, users: others };
    for (const folder of made.toReversed()) {
      await rmdir(folder).catch(() => {
        // Someone else put something there meanwhile: then it is theirs.
      });
    }
    return { made: [], users: [] };
  });
}

function changeRegister(change: (register: Register) => Promise<Register>): Promise<void> {
  return withLock(
    `${registerFile}.lock`,
    () => {},
    async () => {
      const changed = await change(parseRegister(await readFile(registerFile, 'utf8').catch(() => '{}')));
      if (changed.users.length === 0) await rm(registerFile, { force: true });
      else await writeFile(registerFile, JSON.stringify(changed));
    },
  );
}

function parseRegister(text: string): Register {
  const value: unknown = JSON.parse(text);
  const list = (name: string): readonly string[] => {
    const found =
      typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name) : undefined;
    return Array.isArray(found?.[1]) ? found[1].map(String) : [];
  };
  return { made: list('made'), users: list('users') };
}

function pathsBetween(first: string, last: string): readonly string[] {
  const below = last.slice(first.length).split('/').filter(Boolean);
  return [first, ...below.map((_, index) => join(first, ...below.slice(0, index + 1)))];
}
