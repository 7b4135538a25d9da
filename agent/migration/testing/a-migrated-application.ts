/** An application that a migration has brought to b already: for tests of what a later one does there. */
import assert from 'node:assert/strict';
import type { AnyObject } from '../../../kube/client/client.ts';
import { aDatabase, anApplication } from './an-application.ts';
import { aConfigMap, aService, aStatefulSet, put } from './objects.ts';
import type { TwoClusters } from './two-clusters.ts';

export const database = aStatefulSet('db');
export const settings = aConfigMap('settings');
export const kept = aConfigMap('kept');
export const claim: AnyObject = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'extra', namespace: 'db' },
};

export async function migrated(): Promise<TwoClusters> {
  const world = await anApplication();
  await aDatabase(world.a, 'extra', 'the only copy');
  await put(world.a, database, aService('db'), settings, kept);
  await world.migrate(world.a, 'first', {});
  const status = await world.finish(world.a, 'first');
  assert.equal(status.status, 'Successful', status.reason ?? '');
  return world;
}
