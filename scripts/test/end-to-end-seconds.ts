/**
 * How long each end-to-end file takes, in seconds, roughly (both lanes at once, load 15): what shares them out between the lanes. Nothing fails when a
 * number is off, lanes only end at different times; `npm run e2e` tells each file's time.
 */
import type { Weights } from './plan-lanes.ts';

export const endToEndSeconds: Weights = {
  'test/e2e/artifacts.test.ts': 20,
  'test/e2e/commands.test.ts': 55,
  'test/e2e/crash-sample.test.ts': 220,
  'test/e2e/driver-csi.test.ts': 100,
  'test/e2e/exec.test.ts': 80,
  'test/e2e/isolation.test.ts': 70,
  'test/e2e/kills.test.ts': 265,
  'test/e2e/kube-controllers.test.ts': 20,
  'test/e2e/kubeconfig-pairs.test.ts': 100,
  'test/e2e/migration-fields.test.ts': 185,
  'test/e2e/migration-rules.test.ts': 90,
  'test/e2e/pair-health.test.ts': 95,
  'test/e2e/plan.test.ts': 70,
  'test/e2e/refusals.test.ts': 85,
  'test/e2e/registrations.test.ts': 65,
  'test/e2e/retention-policy.test.ts': 85,
  'test/e2e/rules.test.ts': 110,
  'test/e2e/secrets.test.ts': 55,
  'test/e2e/shop.test.ts': 295,
  'test/e2e/tenancy.test.ts': 145,
  'test/e2e/testbed.test.ts': 255,
  'test/e2e/transform.test.ts': 60,
  'test/e2e/two-namespaces.test.ts': 170,
  'test/e2e/versions.test.ts': 30,
  'test/e2e/volume-kinds.test.ts': 115,
  'test/e2e/volume-lock.test.ts': 45,
  'test/e2e/volumes.test.ts': 150,
};
