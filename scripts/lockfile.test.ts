import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

interface LockEntry {
  readonly integrity?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lockfile = join(import.meta.dirname, '../package-lock.json');
const packages: Readonly<Record<string, LockEntry>> = JSON.parse(readFileSync(lockfile, 'utf8')).packages;

describe('package-lock.json', () => {
  it('has an entry for every dependency, else `npm ci` refuses it on a fresh clone', () => {
    const present = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
    const wanted = Object.values(packages).flatMap((entry) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }),
    );
    assert.deepEqual(
      wanted.filter((name) => !present.has(name)),
      [],
      'npm drops packages for other platforms that its registry does not have; put their entries back by hand',
    );
  });

  it('pins the content of everything that linux machines install', () => {
    const linux = Object.entries(packages).filter(
      ([path, entry]) => path !== '' && (entry.os ?? ['linux']).includes('linux'),
    );
    const unpinned = linux.filter(
      ([, entry]) => entry.integrity === undefined && entry.libc?.includes('musl') !== true,
    );
    assert.deepEqual(
      unpinned.map(([path]) => path),
      [],
    );
  });
});
