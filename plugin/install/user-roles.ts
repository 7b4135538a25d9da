/**
 * Roles for people, a ladder: see, migrate, pair. Kubernetes' own view and edit take up the first two by their aggregation
 * labels, so that who edits a namespace may migrate it; docs/security.md says what else that needs. Pairing is never
 * taken up: it decides where data may go, and who may write here. No role writes status: only the agent does. Pure.
 */
import type { AnyObject } from '../../kube/client/client.ts';
import { labelled } from './labelled.ts';
import type { PolicyRule } from './policy-rules.ts';

export interface UserRole {
  readonly name: string;
  readonly why: string;
  /** The roles of Kubernetes' own that take it up; view is part of edit, and edit of admin. */
  readonly aggregatesTo: 'view' | 'edit' | undefined;
  readonly rules: readonly PolicyRule[];
}

const stork = 'stork.libopenstorage.org';
const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const operations = ['actions', 'migrations'];
const declared = ['resourcetransformations', 'rules'];

/**
 * What an overwrite replaced lies in a VolumeSnapshot beside the claim; the agent's event says how to go back to it, keep it
 * (a label: patch) or give it up (delete). Kubernetes' own roles say nothing of snapshots, and making them stays out of ours.
 */
const keptSnapshots = (verbs: readonly string[]): PolicyRule => ({
  apiGroups: ['snapshot.storage.k8s.io'],
  resources: ['volumesnapshots'],
  verbs,
});

export const userRoles: readonly UserRole[] = [
  {
    name: 'stork-view',
    why: 'See migrations, actions, rules and kept snapshots. ClusterPairs are left out: one with a kubeconfig in it holds a credential.',
    aggregatesTo: 'view',
    rules: [
      { apiGroups: [stork], resources: ['applicationregistrations', ...operations, ...declared], verbs: read },
      keptSnapshots(read),
    ],
  },
  {
    name: 'stork-migrate',
    why: 'Migrate, activate, write rules, keep or give up kept snapshots, with the ClusterPairs of the same namespace.',
    aggregatesTo: 'edit',
    rules: [
      { apiGroups: [stork], resources: [...operations, ...declared], verbs: [...read, ...write] },
      { apiGroups: [stork], resources: ['clusterpairs'], verbs: [...read, 'use'] },
      keptSnapshots([...read, 'delete', 'patch']),
    ],
  },
  {
    name: 'stork-use-pairs',
    why: "Bound in the agent's namespace it shares the ClusterPairs there with whoever it is bound to.",
    aggregatesTo: undefined,
    rules: [{ apiGroups: [stork], resources: ['clusterpairs'], verbs: [...read, 'use'] }],
  },
  {
    name: 'stork-pair-admin',
    why: 'Make, confirm and revoke ClusterPairs.',
    aggregatesTo: undefined,
    rules: [{ apiGroups: [stork], resources: ['clusterpairs'], verbs: [...read, ...write, 'use'] }],
  },
];

export const planUserRoles = (): readonly AnyObject[] => userRoles.map(clusterRole);

function clusterRole({ name, why, aggregatesTo, rules }: UserRole): AnyObject {
  const labels =
    aggregatesTo === undefined ? {} : { [`rbac.authorization.k8s.io/aggregate-to-${aggregatesTo}`]: 'true' };
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: labelled({ name, labels, annotations: { description: why } }),
    rules,
  };
}
