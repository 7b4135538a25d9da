/**
 * What all beds on this machine share, remembered before the first and taken back with the last: forwarding between
 * networks, which the links of all beds need, and the folders that nodes mount their own over, such as /var/lib/kubelet.
 * Folders that we make are empty, are remembered, and are removed.
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
  /** State folders of the beds that use the host. */
  readonly users: readonly string[];
  /** The switch before the first bed; empty: left as it is. */
  readonly forwarding: string;
}

const registerFile = '/var/lib/stork-testbed.mount-points.json';
const forwardingSwitch = '/proc/sys/net/ipv4/ip_forward';

/** Idempotent; a claim of a bed that vanished without a release counts no more. */
export function claimHost(stateFolder: string): Promise<void> {
  return changeRegister(async (before) => {
    const users = others(before, stateFolder);
    const forwarding =
      users.length > 0 || before.forwarding !== ''
        ? before.forwarding
        : (await readFile(forwardingSwitch, 'utf8')).trim();
    await writeFile(forwardingSwitch, '1');
    const added: string[] = [];
    for (const folder of [...nodeMounts.map(([, seenAt]) => seenAt), volumesFolder]) {
      const first = await mkdir(folder, { recursive: true });
      if (first !== undefined) added.push(...pathsBetween(first, folder));
    }
    return { made: [...before.made, ...added], users: [...users, stateFolder], forwarding };
  });
}

export function releaseHost(stateFolder: string): Promise<void> {
  return changeRegister(async (before) => {
    const users = others(before, stateFolder);
    if (users.length > 0) return { ...before, users };
    for (const folder of before.made.toReversed()) {
      await rmdir(folder).catch(() => {
        // Someone else put something there meanwhile: then it is theirs.
      });
    }
    if (before.forwarding !== '') await writeFile(forwardingSwitch, before.forwarding);
    return { made: [], users: [], forwarding: '' };
  });
}

const others = ({ users }: Register, stateFolder: string): readonly string[] =>
  users.filter((user) => user !== stateFolder && existsSync(user));

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
  const field = (name: string): unknown =>
    typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
  const list = (name: string): readonly string[] => {
    const found = field(name);
    return Array.isArray(found) ? found.map(String) : [];
  };
  return { made: list('made'), users: list('users'), forwarding: String(field('forwarding') ?? '') };
}

function pathsBetween(first: string, last: string): readonly string[] {
  const below = last.slice(first.length).split('/').filter(Boolean);
  return [first, ...below.map((_, index) => join(first, ...below.slice(0, index + 1)))];
}
