import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import manifest from '../package.json' with { type: 'json' };

const page = readFileSync(join(import.meta.dirname, '../docs/dependencies.md'), 'utf8');
const packages = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };

describe('dependencies', () => {
  for (const [name, version] of Object.entries(packages)) {
    it(`${name} is pinned exactly and docs/dependencies.md says what it is for`, () => {
      assert.match(version, /^\d+\.\d+\.\d+[\w.-]*$/);
      assert.ok(
        new RegExp(`^\\|.*(?<![\\w/-])${name.replaceAll('/', '\\/')}(?![\\w/-]).*\\|`, 'm').test(page),
        `add a line for ${name}`,
      );
    });
  }
});
