/** What a mover in a Job knows from the last sync: fetched from its agent when it starts, handed back when it is done. */
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../kube/clock.ts';
import type { AgentClient } from './agent-client.ts';
import { type MoverRole, moverTreeLimitBytes } from './contract.ts';
import type { VolumeSpec } from './source-volume.ts';
import { cacheFileName } from './tree-cache.ts';

export interface KeptTrees {
  /** Best effort: what is not handed back is read the next time. */
  handBack(): Promise<void>;
}

export interface KeptTreesOptions {
  readonly client: Pick<AgentClient, 'fetchTree' | 'handTree'>;
  readonly role: MoverRole;
  readonly volumes: readonly VolumeSpec[];
  readonly directory: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A file for each volume, so that all together stay within what one may have. */
export const treeLimitOf = (volumes: readonly unknown[]): number =>
  Math.floor(moverTreeLimitBytes / Math.max(1, volumes.length));

const fetchTimeoutMs = 60_000;

export async function fetchTrees(options: KeptTreesOptions): Promise<KeptTrees> {
  const { client, role, directory, clock } = options;
  const volumes = options.volumes.filter(({ kind }) => kind === 'files');
  const limitBytes = treeLimitOf(options.volumes);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const files = new Map(volumes.map(({ name }) => [name, join(directory, cacheFileName(name, role))]));
  const within = async (work: (signal: AbortSignal) => Promise<unknown>) => {
    const stop = new AbortController();
    using _deadline = clock.after(fetchTimeoutMs, () => stop.abort(new DOMException('Too slow', 'TimeoutError')));
    try {
      await work(AbortSignal.any([options.signal, stop.signal]));
    } catch {
      // Without it everything is read, or will be.
      return 'Failed';
    }
    return 'Done';
  };
  for (const [volume, file] of files) {
    // What a restarted mover finds is its own, and newer than what the agent has.
    if (versionOf(file) !== undefined) continue;
    const fetched = await within((signal) => client.fetchTree({ role, volume, file, limitBytes }, signal));
    if (fetched === 'Failed') rmSync(file, { force: true });
  }
  const before = new Map([...files.values()].map((file) => [file, versionOf(file)]));
  return {
    async handBack() {
      for (const [volume, file] of files) {
        const version = versionOf(file);
        if (version === undefined || version === before.get(file)) continue;
        await within((signal) => client.handTree({ role, volume, file }, signal));
      }
    },
  };
}

function versionOf(file: string): string | undefined {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.ino}:${found.mtimeNs}:${found.size}`;
}
