/** Where the tests are, how many files of them run at once, and how long they may take altogether. */
import { availableParallelism } from 'node:os';

const minuteMs = 60_000;

/** Those below test/e2e need clusters. */
export const unitTests = {
  files: ['kube', 'crds', 'drivers', 'agent', 'plugin', 'krew', 'scripts', 'test'].map(
    (folder) => `${folder}/**/*.test.ts`,
  ),
  except: 'test/e2e',
  filesAtOnce: availableParallelism(),
  limitMs: 10 * minuteMs,
};

/** What takes longer than a unit test may: on a real etcd and kube-apiserver, or with killed processes. */
export const conformanceTests = {
  files: ['kube', 'crds', 'drivers', 'agent', 'plugin', 'test/conformance'].map(
    (folder) => `${folder}/**/*.conformance.ts`,
  ),
  filesAtOnce: 1,
  limitMs: 25 * minuteMs,
};

/** In virtual time, on one processor: what else runs can't disturb them, so they run beside the conformance tests. */
export const simulations = { files: ['test/sim/**/*.conformance.ts'], filesAtOnce: 1, limitMs: 25 * minuteMs };

/** On two real clusters, which the files of a lane share: one after the other. */
export const e2eTests = { files: ['test/e2e/**/*.test.ts'], filesAtOnce: 1, limitMs: 55 * minuteMs };
