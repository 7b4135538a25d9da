/**
 * Every object of an installation, in the order to apply them: namespace, kinds, permissions, then the agent and its admission. Pure;
 * `kubectl stork install`, its `--dry-run=client -o yaml` and the Helm chart are made from it.
 */
import { renderCrd } from '../../crds/schema/index.ts';
import { allKinds } from '../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../kube/client/client.ts';
import type { InstallChoices } from './install-choices.ts';
import { labelled } from './labelled.ts';
import { planAgent } from './plan-agent.ts';
import { planRoles } from './plan-roles.ts';
import { planWebhooks } from './plan-webhook.ts';
import { planUserRoles } from './user-roles.ts';

export function planInstall(choices: InstallChoices): readonly AnyObject[] {
  return [
    agentHome(choices),
    ...planCrds(),
    ...planRoles(choices),
    ...planUserRoles(),
    ...planAgent(choices),
    ...planWebhooks(choices.namespace),
  ];
}

export function planCrds(): readonly AnyObject[] {
  return allKinds.map(renderCrd).map((crd) => ({ ...crd, metadata: labelled(crd.metadata) }));
}

/** Movers read volumes of any owner and mode, which the restricted profile doesn't allow. */
function agentHome({ namespace }: InstallChoices): AnyObject {
  const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: labelled({ name: namespace, labels }) };
}
