/** An application that writes a volume without snapshots, beside one that has them. */
import assert from 'node:assert/strict';
import type { AnyObject } from '../../../kube/client/client.ts';
import { at } from '../../resources/fields.ts';
import { storkNames } from '../../resources/names.ts';
import { aDatabase, anApplication, leftovers } from './an-application.ts';
import { aWriter } from './fake-workloads.ts';
import { look, put } from './objects.ts';
import { plainClass } from './plain-storage.ts';
import type { TwoClusters } from './two-clusters.ts';

export const web = aWriter('web', ['files'], { replicas: 2 });

/** Beside the claim with snapshots one without, which the pods of Deployment web write. */
export async function plain(...workloads: readonly AnyObject[]): Promise<TwoClusters> {
  const world = await anApplication();
  await aDatabase(world.a, 'files', 'pages', plainClass);
  await put(world.a, ...workloads);
  await world.turn(world.a, 'none').catch(() => {});
  return world;
}

/** Nothing of the stop is left, nor of anything else. */
export async function mustBeBack(world: TwoClusters, like: AnyObject, where = ''): Promise<void> {
  const found = await look(world.a, like);
  assert.deepEqual(at(found, ['spec', 'replicas']), at(like, ['spec', 'replicas']), where);
  assert.equal(found?.metadata.annotations?.[storkNames.quiesced], undefined, where);
  assert.deepEqual(leftovers(world), [], where);
}
