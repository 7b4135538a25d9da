// tidy: todo-without-issue because its samples break that rule.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyRules, decideArrow, findUnusedExports, isExcused } from './rules.ts';
import type { SourceFacts } from './source-facts.ts';

const aFile = (fields: Partial<SourceFacts>): SourceFacts => ({
  path: 'kube/example.ts',
  text: '',
  lineCount: 1,
  imports: [],
  exports: [],
  functions: [],
  uses: [],
  ...fields,
});

const brokenRules = (fields: Partial<SourceFacts>): readonly string[] =>
  applyRules(aFile(fields)).map(({ rule }) => rule);

const aFunction = { name: 'f', line: 1, lineCount: 71, ownLineCount: 71, isSuite: false };

describe('sizes', () => {
  it('allow 400 lines a file and no more', () => {
    assert.deepEqual(brokenRules({ lineCount: 400 }), []);
    assert.deepEqual(brokenRules({ lineCount: 401 }), ['file-length']);
  });

  it('allow 70 lines a function, twice that for a factory whose own lines are few', () => {
    assert.deepEqual(brokenRules({ functions: [aFunction] }), ['function-length']);
    assert.deepEqual(brokenRules({ functions: [{ ...aFunction, lineCount: 140, ownLineCount: 30 }] }), []);
    assert.deepEqual(brokenRules({ functions: [{ ...aFunction, lineCount: 141, ownLineCount: 30 }] }), [
      'function-length',
    ]);
  });

  it('do not count a list of tests as a function', () => {
    assert.deepEqual(brokenRules({ functions: [{ ...aFunction, isSuite: true }] }), []);
  });
});

describe('import arrows', () => {
  const allowed: readonly (readonly [string, string])[] = [
    ['plugin/cli.ts', 'kube/errors.ts'],
    ['agent/migration/plan.ts', 'agent/resources/collect.ts'],
    ['agent/compose.ts', 'agent/migration/plan.ts'],
    ['agent/mover/engine.ts', 'agent/start-worker.ts'],
    ['drivers/registry.ts', 'drivers/csi/csi-driver.ts'],
    ['drivers/csi/csi-driver.ts', 'drivers/driver.ts'],
    ['agent/main.ts', 'package.json'],
    ['kube/client/real.conformance.ts', 'test/testbed/apiserver.ts'],
  ];
  for (const [from, to] of allowed)
    it(`let ${from} import ${to}`, () => assert.equal(decideArrow(from, to), undefined));

  const refused: readonly (readonly [string, string])[] = [
    ['plugin/cli.ts', 'agent/compose.ts'],
    ['agent/cli.ts', 'plugin/cli.ts'],
    ['kube/client/client.ts', 'drivers/driver.ts'],
    ['crds/schema/index.ts', 'kube/errors.ts'],
    ['agent/migration/plan.ts', 'agent/pairing/pair.ts'],
    ['agent/resources/collect.ts', 'agent/migration/plan.ts'],
    ['drivers/csi/csi-driver.ts', 'drivers/local/local-driver.ts'],
    ['agent/cli.ts', 'test/demo/main.ts'],
  ];
  for (const [from, to] of refused)
    it(`refuse ${from} importing ${to}`, () => assert.notEqual(decideArrow(from, to), undefined));
});

describe('banned words', () => {
  for (const name of [
    'process.env',
    'Date.now',
    'new Date()',
    'Math.random',
    'setTimeout()',
    'console.log',
    'console',
  ]) {
    it(`${name} is refused in kube/ and allowed in scripts, tests and main`, () => {
      const uses = [{ name, line: 3 }];
      assert.deepEqual(brokenRules({ uses }), ['ambient-calls']);
      for (const path of ['scripts/a.ts', 'kube/a.test.ts', 'agent/main.ts', 'kube/clock.ts'])
        assert.deepEqual(brokenRules({ path, uses }), []);
    });
  }

  it('timers may not be imported either', () => {
    assert.deepEqual(
      brokenRules({ imports: [{ specifier: 'node:timers/promises', names: ['setTimeout'], line: 1 }] }),
      ['ambient-calls'],
    );
  });

  it('storage systems are named in drivers/ and tests only', () => {
    const text = 'const a = 1;\nif (driver === "Longhorn") {}';
    assert.equal(applyRules(aFile({ text }))[0]?.line, 2);
    assert.deepEqual(brokenRules({ text, path: 'drivers/longhorn/driver.ts' }), []);
  });

  it('a TODO carries its issue', () => {
    assert.deepEqual(brokenRules({ text: '// TODO later' }), ['todo-without-issue']);
    assert.deepEqual(brokenRules({ text: '// TODO(#12) later' }), []);
  });

  it('mocks, default exports and vague file names are refused', () => {
    assert.deepEqual(brokenRules({ uses: [{ name: 'mock.module', line: 1 }], path: 'kube/a.test.ts' }), ['mocks']);
    assert.deepEqual(brokenRules({ exports: [{ name: 'default', kind: 'value', line: 1 }] }), ['default-export']);
    assert.deepEqual(brokenRules({ path: 'kube/utils.ts' }), ['vague-name']);
  });
});

describe('exemptions', () => {
  const text = '/**\n * tidy: file-length because it is one table.\n * A table.\n */\nconst a = 1;\n';

  it('hold for the rule named, in the first comment, with a reason', () => {
    assert.deepEqual(brokenRules({ lineCount: 500, text }), []);
    assert.equal(isExcused({ text }, 'mocks'), false);
    assert.equal(isExcused({ text: text.replace('it is one table.', '') }, 'file-length'), false);
    assert.equal(isExcused({ text: `const b = 2;\n${text}` }, 'file-length'), false);
  });
});

describe('unused exports', () => {
  const exporting = aFile({
    path: 'kube/a.ts',
    text: 'export const dead = 1;\nexport const used = 2;\nexport const own = 3; own;',
    exports: ['dead', 'used', 'own'].map((name) => ({ name, kind: 'value', line: 1 })),
  });
  const importing = aFile({ path: 'kube/b/c.ts', imports: [{ specifier: '../a.ts', names: ['used'], line: 1 }] });

  it('are dead when their own file does not use them either', () => {
    const { dead, needless } = findUnusedExports([exporting, importing]);
    assert.deepEqual(
      dead.map(({ message }) => message),
      ['nothing uses dead'],
    );
    assert.deepEqual(
      needless.map(({ message }) => message),
      ['only this file uses own'],
    );
  });
});
