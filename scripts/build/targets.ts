/** What we build, read from scripts/node-targets.json: the pinned runtimes and the executables made of them. */
import table from '../node-targets.json' with { type: 'json' };

export interface Runtime {
  readonly id: string;
  /** npm package that ships the binary, its version and its tarball's subresource integrity. */
  readonly package: string;
  readonly version: string;
  readonly integrity: string;
  /** Path of the binary inside the tarball. */
  readonly file: string;
  readonly os: 'linux' | 'darwin' | 'windows';
  readonly arch: 'x64' | 'arm64';
  readonly major: 22 | 26;
}

export type ProgramName = 'agent' | 'plugin';

export interface ExecutableTarget {
  /** What `--only` calls it. */
  readonly name: string;
  /** Its file in dist/. */
  readonly file: string;
  readonly program: ProgramName;
  readonly runtime: Runtime;
}

export const runtimes: readonly Runtime[] = Object.entries(table.runtimes).map(([id, pin]) => parseRuntime(id, pin));

export const executables: readonly ExecutableTarget[] = table.executables.map((row) => ({
  name: row.name,
  file: row.file,
  program: row.program === 'agent' ? 'agent' : 'plugin',
  runtime: getRuntime(row.runtime),
}));

/** The runtime that runs build steps for targets of the same major version; builds happen on linux x64. */
export function builderOf(runtime: Runtime): Runtime {
  return getRuntime(`linux-x64-${runtime.major}`);
}

export function getExecutable(name: string): ExecutableTarget {
  const found = executables.find((target) => target.name === name);
  if (found === undefined) throw new Error(`scripts/node-targets.json has no executable ${name}`);
  return found;
}

export function getRuntime(id: string): Runtime {
  const found = runtimes.find((runtime) => runtime.id === id);
  if (found === undefined) throw new Error(`scripts/node-targets.json has no runtime ${id}`);
  return found;
}

function parseRuntime(id: string, pin: Omit<Runtime, 'id' | 'os' | 'arch' | 'major'>): Runtime {
  const match = /^(linux|darwin|windows)-(x64|arm64)-(22|26)$/.exec(id);
  if (match === null) throw new Error(`scripts/node-targets.json: ${id} is not OS-ARCH-MAJOR`);
  const [, os, arch, major] = match;
  return {
    ...pin,
    id,
    os: os === 'darwin' ? 'darwin' : os === 'windows' ? 'windows' : 'linux',
    arch: arch === 'arm64' ? 'arm64' : 'x64',
    major: major === '22' ? 22 : 26,
  };
}
