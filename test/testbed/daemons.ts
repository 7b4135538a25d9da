/**
 * Long-running programs of the bed: started detached, inside the bed's cgroup,
 * with a log file each, and recorded by pid and start time so that a later
 * command finds them again.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, type ProcessIdentity, readStartTicks } from './lock.ts';

export interface DaemonRecord extends ProcessIdentity {
  readonly name: string;
  readonly argv: readonly string[];
}

export interface DaemonOptions {
  readonly env?: Readonly<Record<string, string>>;
}

export interface Daemons {
  start(name: string, argv: readonly string[], options?: DaemonOptions): Promise<DaemonRecord>;
}

const daemonPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** @param stateFolder receives `run/NAME.json` and `logs/NAME.log`. */
export function createDaemons(stateFolder: string, cgroupProcsFile: string): Daemons {
  const intoCgroup = `echo $$ > ${cgroupProcsFile} && exec "$@"`;
  return {
    async start(name, argv, options = {}) {
      await mkdir(join(stateFolder, 'run'), { recursive: true });
      await mkdir(join(stateFolder, 'logs'), { recursive: true });
      const log = await open(join(stateFolder, 'logs', `${name}.log`), 'a');
      const child = spawn('sh', ['-c', intoCgroup, 'sh', ...argv], {
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        // Nothing of the caller's (a KUBECONFIG, say) may steer a program of the bed.
        env: { PATH: daemonPath, HOME: '/root', ...options.env },
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      child.unref();
      await log.close();
      const pid = child.pid ?? 0;
      const record = { name, pid, startTicks: readStartTicks(pid) ?? '', argv };
      const path = join(stateFolder, 'run', `${name}.json`);
      await writeFile(`${path}.new`, `${JSON.stringify(record)}\n`);
      await rename(`${path}.new`, path);
      return record;
    },
  };
}

export async function listDaemons(stateFolder: string): Promise<readonly DaemonRecord[]> {
  const folder = join(stateFolder, 'run');
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.json')).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  return texts.map((text) => parseRecord(JSON.parse(text)));
}

export async function findDaemon(stateFolder: string, name: string): Promise<DaemonRecord | undefined> {
  const record = (await listDaemons(stateFolder)).find((daemon) => daemon.name === name);
  return record !== undefined && isAlive(record) ? record : undefined;
}

/** Our own file: anything else in it is a fault to stop at. */
function parseRecord(value: unknown): DaemonRecord {
  if (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startTicks' in value &&
    typeof value.startTicks === 'string' &&
    'argv' in value &&
    Array.isArray(value.argv)
  ) {
    return { name: value.name, pid: value.pid, startTicks: value.startTicks, argv: value.argv.map(String) };
  }
  throw new Error(`not a record of a test bed process: ${JSON.stringify(value)}`);
}
