import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';

const root = join(import.meta.dirname, '..');
const folders = '{agent,changes,crds,docs,drivers,examples,krew,kube,plugin,scripts,test}';

it('no file was committed with a merge half done', () => {
  const files = [
    ...globSync('*.{md,json,mjs}', { cwd: root }),
    ...globSync(`${folders}/**/*.{md,ts,mjs,json,yaml,txt,mod}`, { cwd: root }),
  ];
  assert.ok(files.length > 500);
  const halfDone = files.filter((file) => /^(<{7}|>{7}) /m.test(readFileSync(join(root, file), 'utf8')));
  assert.deepEqual(halfDone, []);
});
