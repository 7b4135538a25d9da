import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseKeyPluginConfig } from './key-plugin.ts';

describe("a key plug-in's config", () => {
  it('names it, its command and how long it may take', () => {
    assert.deepEqual(parseKeyPluginConfig('{"name":"a","command":["/b","c"]}', 'F'), {
      name: 'a',
      command: ['/b', 'c'],
      timeoutMs: 30_000,
    });
    assert.equal(parseKeyPluginConfig('{"name":"a","command":["/b"],"timeoutSeconds":5}', 'F').timeoutMs, 5000);
  });

  for (const [text, message] of [
    ['', /no JSON object/],
    ['[]', /no JSON object/],
    ['{"name":"a b","command":["/b"]}', /name is/],
    ['{"command":["/b"]}', /name is/],
    ['{"name":"a"}', /command is/],
    ['{"name":"a","command":["/b",1]}', /command is/],
    ['{"name":"a","command":[]}', /absolute path/],
    ['{"name":"a","command":["b"]}', /absolute path/],
    ['{"name":"a","command":["/b"],"timeoutSeconds":0}', /timeoutSeconds/],
    ['{"name":"a","command":["/b"],"timeoutSeconds":1e9}', /timeoutSeconds/],
    ['{"name":"a","command":["/b"],"env":{}}', /no field env/],
  ] as const)
    it(`is refused by its field: ${text || 'nothing'}`, () => {
      assert.throws(() => parseKeyPluginConfig(text, 'F'), { code: 'KeyPluginConfigInvalid', about: 'F', message });
    });
});
