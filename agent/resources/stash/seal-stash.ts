/**
 * Users may write ConfigMaps of their namespace, and not what a stash would make there. So the agent that receives a stash
 * seals it, with what it says, where it lies, over which pair it came and as whom it was written; only a sealed one is
 * opened. Pure.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { AnyObject } from '../../../kube/client/client.ts';
import { annotate } from '../fields.ts';
import { storkNames } from '../names.ts';
import { contentOf } from './stash-object.ts';

export interface StashOrigin {
  readonly pairId: string;
  /** `namespace/name` of the ServiceAccount that wrote it and will write what is in it. */
  readonly account: string;
}

/** Made from the agent's own key, which only it can read, and kept as long. */
export const stashKeyOf = (agentKey: string): string =>
  createHmac('sha256', agentKey).update('stork-stash/1').digest('base64url');

export function sealStash(stash: AnyObject, origin: StashOrigin, key: string): AnyObject {
  return annotate(stash, {
    [storkNames.stashAccount]: origin.account,
    [storkNames.stashSeal]: sealOf(stash, origin, key),
  });
}

/** Where a sealed stash comes from; `undefined`: nobody sealed it as it is. */
export function openStash(stash: AnyObject, key: string): StashOrigin | undefined {
  const {
    [storkNames.migrationPair]: pairId = '',
    [storkNames.stashAccount]: account = '',
    [storkNames.stashSeal]: seal = '',
  } = stash.metadata.annotations ?? {};
  const expected = Buffer.from(sealOf(stash, { pairId, account }, key));
  const given = Buffer.from(seal);
  return given.length === expected.length && timingSafeEqual(given, expected) ? { pairId, account } : undefined;
}

function sealOf(stash: AnyObject, { pairId, account }: StashOrigin, key: string): string {
  const { namespace, name } = stash.metadata;
  const said = JSON.stringify(['stork-stash/1', namespace, name, pairId, account, contentOf(stash)]);
  return createHmac('sha256', key).update(said).digest('base64url');
}
