import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Command, defineCommand } from './command.ts';
import { choice, duration, pairs, text, texts, toggle } from './flag.ts';
import { parseCommandLine } from './parse-command-line.ts';

const given: { positionals?: readonly string[]; flags?: unknown } = {};
const run: Command = defineCommand({
  words: [['get'], ['thing', 'things']],
  summary: 'Gets.',
  positionals: { shown: '[NAME...]', min: 0, max: 9 },
  flags: {
    watch: toggle({ describes: '', short: 'w' }),
    all: toggle({ describes: '', short: 'A' }),
    output: text({ describes: '', short: 'o', default: 'table' }),
    'include-resources': toggle({ describes: '', default: true }),
    labels: pairs({ describes: '' }),
    names: texts({ describes: '' }),
    'dry-run': choice(['none', 'client'], { describes: '', bare: 'client', default: 'none' }),
    timeout: duration({ describes: '', default: '0' }),
  },
  run: (_context, args) => {
    given.positionals = args.positionals;
    given.flags = args.flags;
    return Promise.resolve(0);
  },
});

async function parsed(...argv: readonly string[]) {
  const line = parseCommandLine([run], argv);
  assert.ok(line.kind === 'run');
  await line.command.run(Object(undefined), line.given);
  const flags = {
    watch: false,
    all: false,
    output: 'table',
    'include-resources': true,
    labels: {},
    names: [],
    'dry-run': 'none',
    timeout: 0,
  };
  const different = Object.entries(Object(given.flags)).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(Object(flags)[name]),
  );
  return {
    names: given.positionals,
    namespace: line.given.flags.get('namespace')?.at(-1),
    ...Object.fromEntries(different),
  };
}

const cases: readonly (readonly [argv: string, expected: object])[] = [
  ['get thing', {}],
  ['get things a b', { names: ['a', 'b'] }],
  ['get thing 123 1e3 0x10', { names: ['123', '1e3', '0x10'] }],
  ['-n shop get thing', { namespace: 'shop' }],
  ['get -o yaml thing a', { names: ['a'], output: 'yaml' }],
  ['get thing -oyaml', { output: 'yaml' }],
  ['get thing -o=yaml', { output: 'yaml' }],
  ['get thing --output=jsonpath={.a}={.b}', { output: 'jsonpath={.a}={.b}' }],
  ['get thing -nshop a', { namespace: 'shop', names: ['a'] }],
  ['get thing -wA', { watch: true, all: true }],
  ['get thing -wAn shop', { watch: true, all: true, namespace: 'shop' }],
  ['get thing -Aoyaml', { all: true, output: 'yaml' }],
  ['get thing --watch a', { watch: true, names: ['a'] }],
  ['get thing --includeResources=false', { 'include-resources': false }],
  ['get thing --include-resources=false --include-resources=true', {}],
  ['get thing --labels a=b,c=d=e', { labels: { a: 'b', c: 'd=e' } }],
  ['get thing --names x,y --names z', { names: ['x', 'y', 'z'] }],
  ['get thing --dry-run a', { 'dry-run': 'client', names: ['a'] }],
  ['get thing --dry-run=none a', { names: ['a'] }],
  ['get thing --timeout 1h30m', { timeout: 5_400_000 }],
  ['get thing --timeout=1.5s', { timeout: 1500 }],
  ['get thing -- -w --x', { names: ['-w', '--x'] }],
  ['get thing - a', { names: ['-', 'a'] }],
  ['get thing --output -w', { output: '-w' }],
];

describe('a command line', () => {
  for (const [argv, expected] of cases) {
    it(`is understood: ${argv}`, async () => {
      const found = await parsed(...argv.split(' '));
      const isNames = argv.includes('--names');
      assert.deepEqual(
        { ...found, names: isNames ? Object(found).names : found.names },
        { names: [], namespace: undefined, ...expected },
      );
    });
  }

  for (const argv of [
    'get thing --namess',
    'get thing -z',
    'get thing --output',
    'got thing',
    'get thing --watch.x',
    'get thing --constructor',
  ]) {
    it(`is refused: ${argv}`, () => {
      assert.throws(() => parseCommandLine([run], argv.split(' ')), { code: 'BadUsage' });
    });
  }
});
