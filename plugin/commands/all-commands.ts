/** Every command, in the order that help lists them. */
import type { Command } from '../command.ts';
import { applicationRegistrationView } from '../output/views/application-registration-view.ts';
import { clusterPairView } from '../output/views/cluster-pair-view.ts';
import { migrationView } from '../output/views/migration-view.ts';
import { resourceTransformationView } from '../output/views/resource-transformation-view.ts';
import { ruleView } from '../output/views/rule-view.ts';
import { activateMigration } from './activate-migration.ts';
import { allowKinds } from './allow-kinds.ts';
import { completion } from './completion.ts';
import { createClusterPair } from './create-clusterpair.ts';
import { createMigration } from './create-migration.ts';
import { createResourceTransformation } from './create-resourcetransformation.ts';
import { createRule } from './create-rule.ts';
import { deleteObjects } from './delete-objects.ts';
import { describeObject } from './describe-object.ts';
import { generateClusterPair } from './generate-clusterpair.ts';
import { getObjects } from './get-objects.ts';
import { install } from './install.ts';
import { logs } from './logs.ts';
import { migrate } from './migrate.ts';
import { pairAccept } from './pair-accept.ts';
import { pairConfirm } from './pair-confirm.ts';
import { pairCreate } from './pair-create.ts';
import { pairDoctor } from './pair-doctor.ts';
import { pairJoin } from './pair-join.ts';
import { pairList } from './pair-list.ts';
import { pairRevoke } from './pair-revoke.ts';
import { pairRotate } from './pair-rotate.ts';
import { planMigrate } from './plan-migrate.ts';
import { planShow } from './plan-show.ts';
import { repeatMigration } from './repeat-migration.ts';
import { status } from './status.ts';
import { uninstall } from './uninstall.ts';
import { version } from './version.ts';

export const allCommands: readonly Command[] = [
  install,
  uninstall,
  allowKinds,
  pairCreate,
  pairAccept,
  pairJoin,
  pairConfirm,
  pairList,
  pairDoctor,
  pairRotate,
  pairRevoke,
  migrate,
  planMigrate,
  planShow,
  repeatMigration,
  activateMigration('activate'),
  activateMigration('deactivate'),
  createMigration,
  createClusterPair,
  generateClusterPair,
  createRule,
  createResourceTransformation,
  getObjects(migrationView),
  getObjects(clusterPairView),
  getObjects(ruleView),
  getObjects(resourceTransformationView),
  getObjects(applicationRegistrationView),
  deleteObjects(migrationView),
  deleteObjects(clusterPairView),
  deleteObjects(ruleView),
  deleteObjects(resourceTransformationView),
  describeObject,
  logs,
  status,
  version,
  completion,
];
