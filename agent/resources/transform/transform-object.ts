/**
 * An object as it leaves the source: Stork's rewriting, by a table of kinds. Pure. It is always the resting form (replicas
 * 0, suspended): starting is the destination's activation, after everything is there.
 *
 * The result says where it comes from (`source-uid`, `migration-pair`), and, when it once came from the other side, the
 * uid it has there (`origin-uid`): that is how a reverse migration knows the originals.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { annotate, isFields, removeField } from '../fields.ts';
import { storkNames } from '../names.ts';
import { withoutRest } from '../quiesce/rest.ts';
import { type GroupKind, groupKindOf, isTrue } from '../resource-ref.ts';
import { transformClusterRole } from './cluster-role.ts';
import { transformClusterRoleBinding } from './cluster-role-binding.ts';
import { transformCronJob } from './cron-job.ts';
import { transformCustomResource } from './custom-resource.ts';
import { transformDaemonSet } from './daemon-set.ts';
import { transformDeployment } from './deployment.ts';
import { transformDeploymentConfig } from './deployment-config.ts';
import { transformEndpoints } from './endpoints.ts';
import { transformIbp } from './ibp.ts';
import { transformJob } from './job.ts';
import { transformNamespace } from './namespace.ts';
import { transformPersistentVolume } from './persistent-volume.ts';
import { transformPersistentVolumeClaim } from './persistent-volume-claim.ts';
import { reduceMetadata } from './reduce-metadata.ts';
import { transformReplicaSet } from './replica-set.ts';
import { transformSecret } from './secret.ts';
import { transformService } from './service.ts';
import { transformServiceAccount } from './service-account.ts';
import { transformStatefulSet } from './stateful-set.ts';
import type { Transform, TransformContext } from './transform-context.ts';

/** Kinds that need no rewriting beyond metadata and status. */
const asItIs: Transform = (object) => object;

const transforms: Readonly<Record<GroupKind, Transform>> = {
  '/ConfigMap': asItIs,
  '/Endpoints': transformEndpoints,
  '/LimitRange': asItIs,
  '/Namespace': transformNamespace,
  '/PersistentVolume': transformPersistentVolume,
  '/PersistentVolumeClaim': transformPersistentVolumeClaim,
  '/ResourceQuota': asItIs,
  '/Secret': transformSecret,
  '/Service': transformService,
  '/ServiceAccount': transformServiceAccount,
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': asItIs,
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': asItIs,
  'apiextensions.k8s.io/CustomResourceDefinition': asItIs,
  'apps.openshift.io/DeploymentConfig': transformDeploymentConfig,
  'apps/DaemonSet': transformDaemonSet,
  'apps/Deployment': transformDeployment,
  'apps/ReplicaSet': transformReplicaSet,
  'apps/StatefulSet': transformStatefulSet,
  'batch/CronJob': transformCronJob,
  'batch/Job': transformJob,
  'ibp.com/IBPCA': transformIbp,
  'ibp.com/IBPConsole': transformIbp,
  'ibp.com/IBPOrderer': transformIbp,
  'ibp.com/IBPPeer': transformIbp,
  'image.openshift.io/ImageStream': asItIs,
  'networking.k8s.io/Ingress': asItIs,
  'networking.k8s.io/NetworkPolicy': asItIs,
  'policy/PodDisruptionBudget': asItIs,
  'rbac.authorization.k8s.io/ClusterRole': transformClusterRole,
  'rbac.authorization.k8s.io/ClusterRoleBinding': transformClusterRoleBinding,
  'rbac.authorization.k8s.io/Role': asItIs,
  'rbac.authorization.k8s.io/RoleBinding': asItIs,
  'route.openshift.io/Route': asItIs,
  'scheduling.k8s.io/PriorityClass': asItIs,
  'template.openshift.io/Template': asItIs,
};

export function transformObject(object: AnyObject, context: TransformContext): AnyObject {
  const reduced = reduceMetadata(withoutRest(object));
  return stamped(rewrite(reduced, context), object, context);
}

function rewrite(object: AnyObject, context: TransformContext): AnyObject {
  const known = transforms[groupKindOf(object)];
  if (isTrue(object, storkNames.skipModify)) return removeField(object, ['status']);
  if (known === undefined) return transformCustomResource(object, context);
  return known(withoutNulls(removeField(object, ['status'])), context);
}

function stamped(object: AnyObject, original: AnyObject, context: TransformContext): AnyObject {
  const was = original.metadata.annotations ?? {};
  const cameByThisPair = was[storkNames.migrationPair] === context.pairId;
  return annotate(object, {
    [storkNames.migrationPair]: context.pairId,
    [storkNames.sourceUid]: original.metadata.uid,
    [storkNames.originUid]: cameByThisPair ? was[storkNames.sourceUid] : undefined,
  });
}

/** Built-in kinds know no null: an API server prints some (`creationTimestamp: null` in templates). */
function withoutNulls(object: AnyObject): AnyObject {
  const { apiVersion, kind, metadata, ...rest } = object;
  return { ...dropNulls(rest), apiVersion, kind, metadata };
}

const dropNulls = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, dropNullsIn(value)]),
  );

function dropNullsIn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropNullsIn);
  return isFields(value) ? dropNulls(value) : value;
}
