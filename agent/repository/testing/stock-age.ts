/** For tests: the `age` of the system. tidy: ambient-calls because tests start it. */
import { execFileSync, spawnSync } from 'node:child_process';

/** Why tests with age are skipped; false when it is here. */
export const ageMissing = spawnSync('age', ['--version']).status === 0 ? false : 'needs age';

export interface AgeKeyPair {
  /** The file's text as `age-keygen` writes it. */
  readonly identityFile: string;
  readonly recipient: string;
}

export function ageKeygen(): AgeKeyPair {
  const identityFile = execFileSync('age-keygen', { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  return { identityFile, recipient: /public key: (age1\w+)/.exec(identityFile)?.[1] ?? '' };
}

export const ageDecrypt = (identityPath: string, file: Buffer): Buffer =>
  execFileSync('age', ['--decrypt', '--identity', identityPath], { input: file, stdio: ['pipe', 'pipe', 'pipe'] });

export const ageEncrypt = (recipient: string, content: Buffer): Buffer =>
  execFileSync('age', ['--recipient', recipient], { input: content });
