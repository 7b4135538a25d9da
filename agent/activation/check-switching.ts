/** Holds an Action to the rights of whoever asked for it: to switch a workload, they must be able to patch it themselves. */
import type { KubeClient } from '../../kube/client/client.ts';
import type { Access } from '../requester/access.ts';
import { type AccessQuestion, everything } from '../requester/access-question.ts';
import type { Requester } from '../requester/requester.ts';
import { kindsToSwitch } from '../resources/activation.ts';

/** @throws StorkError `RequesterMayNot` */
export async function checkSwitching(
  { access, client }: { readonly access: Access; readonly client: KubeClient },
  wanted: { readonly requester: Requester; readonly namespaces: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const { requester, namespaces } = wanted;
  if (await access.may(requester, everything(), signal)) return;
  const questions: AccessQuestion[] = [];
  for (const namespace of namespaces) {
    questions.push({ verb: 'patch', group: 'apps', resource: 'deployments', namespace });
    for (const { group, plural } of await kindsToSwitch(client, namespace, signal))
      questions.push({ verb: 'patch', group, resource: plural, namespace });
  }
  await access.require(requester, questions, signal);
}
