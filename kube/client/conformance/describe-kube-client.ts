/**
 * The one suite for every KubeClient. Run on the fake (kube/fake/fake.test.ts) and on a real kube-apiserver
 * (test/conformance/kube-client.conformance.ts): a behaviour that only the fake shows is a bug of the fake.
 */
import { describe } from 'node:test';
import type { MakeWorld } from './conformance-world.ts';
import { describeApply } from './describe-apply.ts';
import { describeCustomKinds } from './describe-custom-kinds.ts';
import { describeDeletion } from './describe-deletion.ts';
import { describeLists } from './describe-lists.ts';
import { describeObjects } from './describe-objects.ts';
import { describePatches } from './describe-patches.ts';

/** @param makeWorld called once for each part; the worlds may share a server */
export function describeKubeClient(name: string, makeWorld: MakeWorld): void {
  describe(`KubeClient on ${name}`, () => {
    describeObjects(makeWorld);
    describeDeletion(makeWorld);
    describeLists(makeWorld);
    describeApply(makeWorld);
    describePatches(makeWorld);
    describeCustomKinds(makeWorld);
  });
}
