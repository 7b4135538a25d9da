import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleProgram, eagerChunks } from './bundle.ts';

describe('eagerChunks', () => {
  it('follows static imports, once each, also in a circle', () => {
    const imports = new Map([
      ['./main.js', ['./a.js']],
      ['./a.js', ['./b.js']],
      ['./b.js', ['./a.js']],
      ['./lazy.js', ['./b.js']],
    ]);
    assert.deepEqual(eagerChunks(imports, './main.js'), ['./main.js', './a.js', './b.js']);
  });
});

describe('bundleProgram', () => {
  for (const program of ['agent', 'plugin'] as const) {
    it(`keeps what ${program} --version loads small`, async () => {
      const bundle = await bundleProgram(program, program === 'agent' ? 26 : 22);
      const limitBytes = 120_000;
      assert.ok(
        bundle.main.length < limitBytes,
        `the main script has ${bundle.main.length} bytes; import heavy things lazily`,
      );
      assert.ok(Object.keys(bundle.chunks).length > 1, 'the command line is not in the main script');
    });
  }
});
