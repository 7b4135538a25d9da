import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { applyDefaults, checkNode, type Kind } from '../schema/index.ts';
import { allKinds } from './index.ts';
import { type Example, readExamples } from './read-examples.ts';

const ours = await readExamples(join(import.meta.dirname, 'examples'));
const storks = await readExamples(join(import.meta.dirname, '../../examples/stork'));

describe('examples of API objects', () => {
  for (const example of [...ours, ...storks]) {
    it(`${example.refusal === undefined ? 'accepts' : 'refuses'} ${example.name}`, () => {
      const verdict = judge(example);
      if (example.refusal === undefined) assert.equal(verdict, '');
      else
        assert.ok(verdict.includes(example.refusal), `${JSON.stringify(verdict)} says nothing of ${example.refusal}`);
    });
  }

  it('has an accepted and a refused one for each kind', () => {
    for (const kind of allKinds) {
      const names = ours.map((example) => example.name);
      assert.ok(
        names.some((name) => name.startsWith(`${kind.singular}/accepted-`)),
        kind.kind,
      );
      assert.ok(
        names.some((name) => name.startsWith(`${kind.singular}/refused-`)),
        kind.kind,
      );
    }
  });

  it('has a refused one for each rule', () => {
    const refusals = ours.map((example) => example.refusal ?? 'nothing');
    for (const message of allKinds.flatMap((kind) => messagesOf(JSON.stringify(kind.schema.node)))) {
      assert.ok(
        refusals.some((refusal) => message.includes(refusal)),
        message,
      );
    }
  });
});

/** What a create and then updates would answer, as one text. Status is kept over updates, as with the subresource. */
function judge({ documents }: Example): string {
  let old: Readonly<Record<string, unknown>> | undefined;
  let verdict = '';
  for (const document of documents) {
    const kind = kindOf(document);
    const given = old === undefined ? Object(document) : { ...Object(document), status: old.status };
    const { issues } = checkNode(kind.schema.node, given, { old, unknownFields: 'Refuse' });
    verdict = issues.map((issue) => `${issue.path}: ${issue.message}`).join('\n');
    old = Object(applyDefaults(kind.schema, given));
  }
  return verdict;
}

function kindOf(document: unknown): Kind {
  const kind = allKinds.find((one) => one.kind === Object(document).kind);
  assert.ok(kind !== undefined, 'kind');
  return kind;
}

function messagesOf(node: string): readonly string[] {
  return [...node.matchAll(/"message":("(?:[^"\\]|\\.)*")/g)].map((match) => String(JSON.parse(match[1] ?? '""')));
}
