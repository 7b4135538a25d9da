import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  anything,
  applyDefaults,
  boolean,
  defaulted,
  embeddedResource,
  type Infer,
  type Input,
  integer,
  intOrString,
  list,
  map,
  object,
  oneOf,
  parse,
  renderOpenApi,
  required,
  rule,
  SchemaError,
  string,
  time,
  withRules,
} from './index.ts';

const fields = object({
  name: required(string({ maxLength: 5 })),
  size: integer({ minimum: 1, maximum: 9 }),
  mode: oneOf(['', 'Fast', 'Safe'], { default: 'Safe' }),
  on: boolean({ default: true }),
  tags: list(string({ minLength: 1 }), { maxItems: 3, listType: 'set' }),
  labels: map(string(), { maxProperties: 2 }),
  parts: defaulted(list(object({ id: required(string()), weight: integer({ default: 1 }) })), [{ id: 'main' }]),
  nested: object({ deep: boolean({ default: false }) }),
  port: intOrString(),
  raw: anything(),
  when: time(),
  template: embeddedResource(),
});
const shape = withRules(
  fields,
  rule<Infer<typeof fields>>(
    '!has(self.size) || self.on',
    'size needs on',
    (self) => self.size === undefined || self.on,
  ),
);
type Shape = Infer<typeof shape>;

const issuesOf = (value: unknown, unknownFields: 'Drop' | 'Refuse' = 'Drop'): readonly string[] => {
  try {
    parse(shape, value, { unknownFields });
    return [];
  } catch (error) {
    assert.ok(error instanceof SchemaError);
    return error.issues.map((issue) => `${issue.path} ${issue.message}`);
  }
};

describe('schema', () => {
  it('infers what is read and what may be written', () => {
    const input: Input<typeof shape> = { name: 'a' };
    const read: Shape = applyDefaults(shape, input);
    const on: boolean = read.on;
    const size: number | undefined = read.size;
    const mode: '' | 'Fast' | 'Safe' = read.mode;
    const weights: readonly number[] = read.parts.map((part) => part.weight);
    assert.deepEqual({ on, size, mode, weights }, { on: true, size: undefined, mode: 'Safe', weights: [1] });
    // @ts-expect-error name is required
    const missing: Input<typeof shape> = {};
    // @ts-expect-error a typo
    const typo: Input<typeof shape> = { name: 'a', sise: 1 };
    // @ts-expect-error defaults are there when read
    const undefaulted: Shape = { name: 'a' };
    assert.ok(missing && typo && undefaulted);
  });

  it('fills in defaults inside lists and defaults, not under an absent parent', () => {
    const input = { name: 'a', parts: [{ id: 'x' }], nested: {} };
    assert.deepEqual(applyDefaults(shape, input), {
      name: 'a',
      mode: 'Safe',
      on: true,
      parts: [{ id: 'x', weight: 1 }],
      nested: { deep: false },
    });
    assert.deepEqual(input, { name: 'a', parts: [{ id: 'x' }], nested: {} });
    assert.equal(applyDefaults(shape, { name: 'a' }).nested, undefined);
  });

  it('takes null for absent', () => {
    const { size, on } = parse(shape, { name: 'a', size: null, on: null });
    assert.deepEqual({ size, on }, { size: undefined, on: true });
  });

  it('drops unknown fields, or refuses them by name', () => {
    assert.deepEqual(Object.keys(parse(shape, { name: 'a', more: 1 })).sort(), ['mode', 'name', 'on', 'parts']);
    assert.deepEqual(issuesOf({ name: 'a', nested: { dep: 1 } }, 'Refuse'), ['nested.dep is not a field']);
  });

  it('keeps a field called __proto__ in a map a field', () => {
    const parsed = parse(shape, JSON.parse('{"name":"a","labels":{"__proto__":"x"}}'));
    assert.deepEqual(Object.entries(parsed.labels ?? {}), [['__proto__', 'x']]);
    assert.deepEqual(issuesOf(JSON.parse('{"name":"a","constructor":{}}'), 'Refuse'), ['constructor is not a field']);
  });

  for (const [name, value, issue] of [
    ['a missing field', {}, 'name is required'],
    ['a long string', { name: 'abcdef' }, 'name must have at most 5 characters'],
    ['a number for a string', { name: 1 }, 'name must be a string'],
    ['a fraction', { name: 'a', size: 1.5 }, 'size must be an integer'],
    ['a number beyond 2^53', { name: 'a', size: 2 ** 53 }, 'size must be an integer'],
    ['a small number', { name: 'a', size: 0 }, 'size must be at least 1'],
    ['a word that is none of the given', { name: 'a', mode: 'Fats' }, 'mode must be one of "", "Fast", "Safe"'],
    ['text for a boolean', { name: 'a', on: 'true' }, 'on must be true or false'],
    ['a long list', { name: 'a', tags: ['a', 'b', 'c', 'd'] }, 'tags must have at most 3 items'],
    ['a repeated item', { name: 'a', tags: ['a', 'a'] }, 'tags[1] is there twice'],
    ['null in a list', { name: 'a', tags: [null] }, 'tags[0] must not be null'],
    ['a big map', { name: 'a', labels: { a: '', b: '', c: '' } }, 'labels must have at most 2 entries'],
    ['a deep mistake', { name: 'a', parts: [{ id: 'x' }, { weight: 2 }] }, 'parts[1].id is required'],
    ['a list for an object', { name: 'a', nested: [] }, 'nested must be an object'],
    ['a date', { name: 'a', when: '2026-01-01' }, 'when must be an RFC 3339 time'],
    ['half an object', { name: 'a', template: { kind: 'Pod', metadata: {} } }, 'template.apiVersion is required'],
    ['a broken rule', { name: 'a', size: 2, on: false }, ' size needs on'],
    ['nothing', undefined, ' is required'],
  ] as const) {
    it(`names ${name}`, () => assert.ok(issuesOf(value).includes(issue), JSON.stringify(issuesOf(value))));
  }

  it('caps the number of issues it reports', () => {
    assert.equal(issuesOf({ name: 'a', parts: Array.from({ length: 1000 }, () => ({})) }).length, 20);
  });

  it('renders a structural schema', () => {
    assert.deepEqual(
      renderOpenApi(
        withRules(object({ a: required(boolean({ default: true })), b: map(integer()) }), ...(shape.node.rules ?? []))
          .node,
      ),
      {
        type: 'object',
        required: ['a'],
        properties: {
          a: { type: 'boolean', default: true },
          b: { type: 'object', additionalProperties: { type: 'integer', format: 'int64' } },
        },
        'x-kubernetes-validations': [{ rule: '!has(self.size) || self.on', message: 'size needs on' }],
      },
    );
  });
});
