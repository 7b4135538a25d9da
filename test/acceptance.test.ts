/** docs/acceptance/ tells which test proves what: here, that those tests are there under these names. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const repository = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(repository, path), 'utf8');

/** Issue 4, acceptance 1. */
const ids = [
  ...numbered('M', 1, 6),
  ...numbered('M', 8, 13),
  ...numbered('M', 16, 19),
  ...numbered('R', 1, 6),
  ...['K1', 'K2', 'K3', 'K9', 'K11'],
];
const linesOfIssue5 = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'];
const lines = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];

describe('docs/acceptance/issue-4.md', () => {
  const rows = rowsOf(read('docs/acceptance/issue-4.md'));
  const named = rows.flatMap(({ head, text }) => testsIn(text).map((test) => ({ head, ...test })));

  it('has each id of line 1 once, with a test on real clusters whose name begins with it', () => {
    const found = rows.map(({ head }) => head).filter((head) => /^[A-Z]\d+$/.test(head));
    assert.deepEqual(found, ids);
    for (const id of ids) {
      const own = named.filter(({ head, path }) => head === id && path.startsWith('test/e2e/'));
      assert.ok(
        own.some(({ name }) => idsOf(name).includes(id)),
        id,
      );
    }
  });

  it('has each of the other lines', () => {
    const found = new Set(rows.map(({ head }) => /^(\d):/.exec(head)?.[1]).filter((line) => line !== undefined));
    assert.deepEqual([...found], lines);
  });

  it('names tests that are there', () => {
    assert.ok(named.length > 100);
    for (const { head, path, name } of named) assert.ok(hasTest(path, name), `${head}: ${path} has no test “${name}”`);
  });

  it('names documents that are there', () => {
    for (const path of rows.flatMap(({ text }) => documentsIn(text)))
      assert.ok(existsSync(join(repository, path)), path);
  });
});

describe('docs/acceptance/issue-5.md', () => {
  const rows = rowsOf(read('docs/acceptance/issue-5.md'));

  it('has each line', () => {
    const found = new Set(rows.map(({ head }) => /^(\d+):/.exec(head)?.[1]).filter((line) => line !== undefined));
    assert.deepEqual([...found], linesOfIssue5);
  });

  it('names tests and documents that are there', () => {
    for (const { text } of rows) {
      for (const { path, name } of testsIn(text)) assert.ok(hasTest(path, name), `${path} has no test “${name}”`);
      for (const path of documentsIn(text)) assert.ok(existsSync(join(repository, path)), path);
    }
  });
});

interface Row {
  readonly head: string;
  readonly text: string;
}

function rowsOf(document: string): readonly Row[] {
  return document
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => ({ head: line.split('|')[1]?.trim() ?? '', text: line }));
}

/** `` `path` “name”, “name” ``. */
function testsIn(text: string) {
  return [...text.matchAll(/`([\w./-]+\.ts)`((?:,? “[^”]+”)+)/g)].flatMap(([, path = '', names = '']) =>
    [...names.matchAll(/“([^”]+)”/g)].map(([, name = '']) => ({ path, name })),
  );
}

const documentsIn = (text: string): readonly string[] => text.match(/\bdocs\/[\w/-]+\.md\b/g) ?? [];

/** `M5, M18: …` → M5 and M18. */
const idsOf = (name: string): readonly string[] => /^((?:[A-Z]\d+(?:, )?)+):?/.exec(name)?.[1]?.split(', ') ?? [];

/** Names may come from a table: then its text is where the name is. */
function hasTest(path: string, name: string): boolean {
  const source = read(path).replaceAll("\\'", "'");
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${name}`));
}

function numbered(letter: string, from: number, to: number): readonly string[] {
  return Array.from({ length: to - from + 1 }, (_, at) => `${letter}${from + at}`);
}
