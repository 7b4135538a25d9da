/**
 * Our CRDs on a real API server: it accepts them (structure, CEL cost), and its verdict on every example is the one its
 * file name promises (and that crds/v1alpha1/examples.test.ts finds with our own checks). kubectl asks, since its strict
 * validation is what users meet.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { applyDefaults, renderCrd } from '../../crds/schema/index.ts';
import { allKinds } from '../../crds/v1alpha1/index.ts';
import { type Example, readExamples } from '../../crds/v1alpha1/read-examples.ts';
import { type RunningApiServer, startApiServer } from '../testbed/apiserver.ts';
import { type Answer, kubectlFor } from './kubectl.ts';

const root = join(import.meta.dirname, '../..');
const ours = await readExamples(join(root, 'crds/v1alpha1/examples'));
const storks = await readExamples(join(root, 'examples/stork'));
const ruleExamples = await readExamples(join(root, 'examples/rules'));

describe('CRDs on a real API server', () => {
  let server: RunningApiServer | undefined;
  let kubectl: (argv: readonly string[], input?: unknown) => Promise<Answer> = () =>
    Promise.reject(new Error('not started'));

  before(async () => {
    server = await startApiServer();
    kubectl = await kubectlFor(server.kubeconfigPath);
    const list = { apiVersion: 'v1', kind: 'List', items: allKinds.map(renderCrd) };
    expectDone(await kubectl(['create', '-f', '-'], list));
    expectDone(await kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']));
    for (const namespace of ['demo', 'shop', 'mysql']) expectDone(await kubectl(['create', 'namespace', namespace]));
  });
  after(async () => {
    await server?.stop();
  });

  it('finds nothing to complain about in their schemas', async () => {
    const answer = await kubectl([
      'get',
      'crd',
      '-o',
      'jsonpath={.items[*].status.conditions[?(@.type=="NonStructuralSchema")].message}',
    ]);
    assert.deepEqual(answer, { code: 0, stdout: '', stderr: '' });
  });

  for (const example of [...ours, ...storks, ...ruleExamples]) {
    it(`${example.refusal === undefined ? 'accepts' : 'refuses'} ${example.name}`, async () => {
      const answer = await applyAll(example);
      if (example.refusal === undefined) {
        expectDone(answer);
        return;
      }
      assert.notEqual(answer.code, 0, 'it was accepted');
      assert.ok(answer.stderr.includes(example.refusal), answer.stderr);
    });
  }

  it('fills in the defaults that applyDefaults fills in', async () => {
    for (const example of storks) {
      const [document] = example.documents;
      const kind = allKinds.find((one) => one.kind === Object(document).kind);
      assert.ok(kind);
      const stored = expectDone(await kubectl(['get', '-f', example.file, '-o', 'json']));
      const { apiVersion: _, kind: __, metadata: ___, status: ____, ...read } = JSON.parse(stored.stdout);
      const {
        apiVersion,
        kind: named,
        metadata,
        status,
        ...given
      } = Object(applyDefaults(kind.schema, Object(document)));
      assert.ok(apiVersion && named && metadata);
      assert.deepEqual(read, given, example.name);
    }
  });

  it('shows the columns', async () => {
    const { stdout } = expectDone(await kubectl(['get', 'mig', '-n', 'shop', '--no-headers=false']));
    assert.match(stdout, /^NAME +CLUSTERPAIR +STAGE +STATUS +VOLUMES +RESOURCES +CREATED +ELAPSED\n/);
    const everything = expectDone(await kubectl(['get', 'stork', '-A', '-o', 'name']));
    assert.match(everything.stdout, /^clusterpair\.stork\.libopenstorage\.org\/remotecluster$/m);
  });

  /** Creates the first document, writes its status, then applies the others over it; answers for the last. */
  async function applyAll({ documents }: Example): Promise<Answer> {
    let answer: Answer = { code: 0, stdout: '', stderr: '' };
    for (const document of documents) {
      const { status } = Object(document);
      answer = await kubectl(['apply', '-f', '-'], document);
      if (answer.code !== 0 || status === undefined) continue;
      answer = await kubectl(['replace', '--subresource=status', '-f', '-'], document);
    }
    return answer;
  }
});

function expectDone(answer: Answer): Answer {
  assert.equal(answer.code, 0, answer.stderr);
  return answer;
}
