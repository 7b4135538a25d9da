/** Kinds that the agent may not list: what the user is told, and the way out. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MigrationSpecInput } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { ApiError } from '../../kube/errors.ts';
import { anyOf, queueDefinition } from '../resources/testing/sample-objects.ts';
import { collectMigration } from './source/collect.ts';
import type { SourceServices } from './source/source-services.ts';
import { anApplication } from './testing/an-application.ts';
import type { TwoClusters } from './testing/two-clusters.ts';

const forbidden = () => new ApiError({ code: 403, reason: 'Forbidden', message: 'no', details: {} }, 'queues');

/** No object of the kind is anywhere: as on most clusters, of most kinds. */
async function blindWorld(): Promise<TwoClusters> {
  const world = await anApplication();
  await world.a.client.create(anyOf(core.customResourceDefinitions), queueDefinition('example.com'));
  const blind: KubeClient = {
    ...world.a.client,
    list(resource, options) {
      if (resource.kind === 'Queue') throw forbidden();
      return world.a.client.list(resource, options);
    },
  };
  const collect: SourceServices['collect'] = (...asked) => collectMigration(blind, ...asked);
  Object.assign(world.a.source, { collect });
  return world;
}

async function run(world: TwoClusters, name: string, spec: Partial<MigrationSpecInput> = {}) {
  await world.migrate(world.a, name, { includeVolumes: false, ...spec });
  return await world.finish(world.a, name);
}

const told =
  /^1 kind could not be read on the source, so nobody knows whether anything of it stayed behind: queues\.example\.com; let stork-agent read it \(kubectl stork allow kinds --all\), or leave it out/;

describe('a kind that the agent may not list', () => {
  it('makes the migration partial, named as the one thing that is not known', async () => {
    const status = await run(await blindWorld(), 'first');
    assert.equal(status.status, 'PartialSuccess');
    assert.match(status.reason ?? '', told);
    assert.doesNotMatch(status.reason ?? '', /did not migrate completely/);
    const row = status.resources?.find(({ kind }) => kind === 'Queue');
    assert.match(
      row?.reason ?? '',
      /stork-agent may not list it; let it \(kubectl stork allow kinds queues\.example\.com\)/,
    );
    const condition = status.conditions?.find(({ type }) => type === 'KindsNotRead');
    assert.match(condition?.message ?? '', told);
  });

  it('is told by the plan', async () => {
    const { plan } = await run(await blindWorld(), 'look', { dryRun: true });
    assert.equal(plan?.verdict, 'Partial');
    assert.ok(plan?.warnings?.some((warning) => told.test(warning)));
  });

  for (const name of ['Queue', 'queue.example.com', 'queues.example.com', '*.example.com'])
    it(`and left out on purpose (${name}) leaves a success`, async () => {
      const status = await run(await blindWorld(), 'first', { excludeResourceTypes: [name] });
      assert.equal(status.status, 'Successful', status.reason ?? '');
      assert.equal(
        status.conditions?.find(({ type }) => type === 'KindsNotRead'),
        undefined,
      );
    });

  it('is not left out by the name of another group', async () => {
    const status = await run(await blindWorld(), 'first', { excludeResourceTypes: ['queues.example.org', '*'] });
    assert.equal(status.status, 'PartialSuccess');
  });
});
