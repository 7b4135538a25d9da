/** The API types' public door: per kind a constant (a kube/client Resource, plural) and its types (singular). */
import type { Kind } from '../schema/index.ts';
import { actions } from './action.ts';
import { applicationRegistrations } from './application-registration.ts';
import { clusterPairs } from './cluster-pair.ts';
import { migrations } from './migration.ts';
import { resourceTransformations } from './resource-transformation.ts';
import { rules } from './rule.ts';

export * from './action.ts';
export * from './application-registration.ts';
export * from './cluster-pair.ts';
export { type Condition, condition, conditions, observedGeneration } from './condition.ts';
export * from './migration.ts';
export * from './migration-plan.ts';
export * from './migration-status.ts';
export * from './resource-transformation.ts';
export * from './rule.ts';

export const allKinds: readonly Kind[] = [
  actions,
  applicationRegistrations,
  clusterPairs,
  migrations,
  resourceTransformations,
  rules,
];

/** What people ask an agent to do: admission marks each with who asked. */
export const operationKinds: readonly Kind[] = [actions, migrations];
