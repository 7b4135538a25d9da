/** For tests: stock restic (Debian's) on a repository in a directory. tidy: ambient-calls because restic is told through the environment. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

/** Why tests with restic are skipped; false when it is here. */
export const resticMissing = spawnSync('restic', ['version']).status === 0 ? false : 'needs restic';

/** Runs one command; throws with all it said when it fails. */
export function restic(repository: string, password: string, ...args: readonly string[]): Buffer {
  const env = { ...process.env, RESTIC_PASSWORD: password, RESTIC_REPOSITORY: repository };
  return execFileSync('restic', ['--no-cache', ...args], {
    env,
    maxBuffer: 2 ** 30,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The same while others go on, with what it printed. */
export async function resticBeside(repository: string, password: string, ...args: readonly string[]): Promise<string> {
  const env = { ...process.env, RESTIC_PASSWORD: password, RESTIC_REPOSITORY: repository };
  return (await promisify(execFile)('restic', ['--no-cache', ...args], { env, maxBuffer: 2 ** 30 })).stdout;
}

/** Throws unless every byte of the repository is as it should be. */
export function checkWithRestic(repository: string, password: string): void {
  restic(repository, password, 'check', '--read-data');
}
