import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideGitOpsCondition, listResults, type ResourceResult } from './resource-results.ts';
import { summarize } from './summarize.ts';

const aResult = (number: number, fields: Partial<ResourceResult> = {}): ResourceResult => ({
  ...{ group: 'apps', version: 'v1', kind: 'Deployment', namespace: 'a-namespace', name: `deployment-${number}` },
  status: 'Successful',
  reason: '',
  ...fields,
});

describe('what a status tells of ten thousand resources', () => {
  const many = Array.from({ length: 10_000 }, (_, number) =>
    aResult(number, number % 100 === 99 ? { status: 'Failed', reason: 'x'.repeat(5000) } : {}),
  );
  const listed = listResults(many);

  it('stays far below what etcd takes', () => {
    assert.ok(Buffer.byteLength(JSON.stringify(listed)) < 512 * 1024);
  });
  it('lists failures first and counts the rest', () => {
    const resources = listed.resources ?? [];
    assert.equal(resources.filter(({ status }) => status === 'Failed').length, 100);
    assert.ok(resources.slice(0, 100).every(({ status }) => status === 'Failed'));
    assert.deepEqual(listed.omittedResources, { successful: 10_000 - resources.length, failed: 0 });
    const { summary } = summarize({ volumes: [], resources, omitted: listed.omittedResources });
    assert.equal(summary?.resources, '9900/10000');
  });
  it('lists all when there is room, without what only the source needs', () => {
    assert.deepEqual(listResults([aResult(1, { managedHere: 'Argo CD' })]), {
      resources: [aResult(1)],
      omittedResources: undefined,
    });
  });
});

describe('the warning about Git', () => {
  it('is one for all', () => {
    const facts = decideGitOpsCondition([
      aResult(1, { managedHere: 'Argo CD (application a)' }),
      aResult(2, { managedHere: 'Argo CD (application a)', managedThere: 'Flux (HelmRelease b)' }),
      aResult(3),
    ]);
    assert.equal(
      facts?.message,
      'Git manages some of it: 1 object is managed by Flux (HelmRelease b) on the destination, left as found. ' +
        '2 objects are managed by Argo CD (application a) on the source: nothing keeps the copies in line with Git',
    );
    assert.equal(decideGitOpsCondition([aResult(1)]), undefined);
  });
});
