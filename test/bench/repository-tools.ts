/** The programs of `npm run bench -- repo` behind one face: each makes a repository, saves a folder into it, restores the last point. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MeasuredCommand, measureCommand } from './measured-command.ts';

export interface RepositoryTool {
  readonly name: string;
  /** Makes the repository in `space`, which is empty. */
  init(space: string): Promise<void>;
  backup(space: string, from: string): Promise<MeasuredCommand>;
  /** The last restore point of `from`, to `to`, which does not exist. */
  restore(space: string, from: string, to: string): Promise<MeasuredCommand>;
  /** Bytes that its repository holds. */
  storedBytes(space: string): number;
}

export const repositoryPassword = 'of the benchmark';
export const repositoryOf = (space: string) => join(space, 'repository');

/** @param agent the built program, or `node …` with what starts it from source */
export function storkTool(agent: readonly [string, ...string[]]): RepositoryTool {
  const [program, ...before] = agent;
  const secret = (space: string) => join(space, 'password');
  const run = (space: string, args: readonly string[]) =>
    measureCommand(program, [...before, ...args, '--repo', repositoryOf(space), '--password-file', secret(space)], {});
  return {
    name: 'stork',
    async init(space) {
      writeFileSync(secret(space), repositoryPassword, { mode: 0o600 });
      await run(space, ['repo', 'init']);
    },
    backup: (space, from) => run(space, ['backup', from]),
    restore: (space, _from, to) => run(space, ['restore', 'latest', '--target', to]),
    storedBytes: (space) => sizeOf(repositoryOf(space)),
  };
}

export function resticTool(program: string): RepositoryTool {
  const run = (space: string, args: readonly string[]) =>
    measureCommand(program, [...args, '--repo', repositoryOf(space), '--cache-dir', join(space, 'cache')], {
      RESTIC_PASSWORD: repositoryPassword,
    });
  return {
    name: 'restic',
    async init(space) {
      await run(space, ['init', '--repository-version', '2']);
    },
    backup: (space, from) => run(space, ['backup', from]),
    restore: (space, _from, to) => run(space, ['restore', 'latest', '--target', to]),
    storedBytes: (space) => sizeOf(repositoryOf(space)),
  };
}

export function kopiaTool(program: string): RepositoryTool {
  const run = (space: string, args: readonly string[]) =>
    measureCommand(program, [...args, '--config-file', join(space, 'kopia.config')], {
      KOPIA_PASSWORD: repositoryPassword,
      KOPIA_CHECK_FOR_UPDATES: 'false',
      KOPIA_LOG_DIR: join(space, 'log'),
      KOPIA_CACHE_DIRECTORY: join(space, 'cache'),
    });
  return {
    name: 'kopia',
    async init(space) {
      mkdirSync(repositoryOf(space));
      await run(space, ['repository', 'create', 'filesystem', '--path', repositoryOf(space)]);
      // Off by default: without it sizes and CPU could not be compared.
      await run(space, ['policy', 'set', '--global', '--compression=zstd']);
    },
    backup: (space, from) => run(space, ['snapshot', 'create', from]),
    async restore(space, from, to) {
      const { stdout } = await run(space, ['snapshot', 'list', from, '--json']);
      const points: { id: string }[] = JSON.parse(stdout);
      const last = points.at(-1);
      if (last === undefined) throw new Error(`kopia lists no snapshot of ${from}`);
      return run(space, ['snapshot', 'restore', last.id, to]);
    },
    storedBytes: (space) => sizeOf(repositoryOf(space)),
  };
}

/** The same on a bucket: `endpoint` as the tool sees it, `prefix` in the bucket `bench`. */
export interface S3Tool {
  readonly name: string;
  init(endpoint: string, prefix: string): Promise<void>;
  backup(endpoint: string, prefix: string, from: string): Promise<MeasuredCommand>;
  restore(endpoint: string, prefix: string, to: string): Promise<MeasuredCommand>;
}

interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const s3Place = (endpoint: string, prefix: string) => `s3:${endpoint}/bench/${prefix}`;
const s3Environment = ({ accessKeyId, secretAccessKey }: S3Credentials) => ({
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
});

export function storkOnS3(program: string, credentials: S3Credentials, space: string): S3Tool {
  const secret = join(space, 'password');
  writeFileSync(secret, repositoryPassword, { mode: 0o600 });
  const run = (place: string, args: readonly string[]) =>
    measureCommand(program, [...args, '--repo', place, '--password-file', secret], s3Environment(credentials));
  return {
    name: 'stork',
    async init(endpoint, prefix) {
      await run(s3Place(endpoint, prefix), ['repo', 'init']);
    },
    backup: (endpoint, prefix, from) => run(s3Place(endpoint, prefix), ['backup', from]),
    restore: (endpoint, prefix, to) => run(s3Place(endpoint, prefix), ['restore', 'latest', '--target', to]),
  };
}

export function resticOnS3(program: string, credentials: S3Credentials, space: string): S3Tool {
  const run = (place: string, args: readonly string[]) =>
    measureCommand(program, [...args, '--repo', place, '--cache-dir', join(space, 'cache')], {
      ...s3Environment(credentials),
      RESTIC_PASSWORD: repositoryPassword,
    });
  return {
    name: 'restic',
    async init(endpoint, prefix) {
      await run(s3Place(endpoint, prefix), ['init', '--repository-version', '2']);
    },
    backup: (endpoint, prefix, from) => run(s3Place(endpoint, prefix), ['backup', from]),
    restore: (endpoint, prefix, to) => run(s3Place(endpoint, prefix), ['restore', 'latest', '--target', to]),
  };
}

function sizeOf(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
}
