/** Where the tests are that need more than a unit test does. */

/** What takes longer than a unit test may: on a real etcd and kube-apiserver, or with killed processes. */
export const conformanceTests = {
  files: ['kube', 'crds', 'drivers', 'agent', 'plugin', 'test/conformance'].map(
    (folder) => `${folder}/**/*.conformance.ts`,
  ),
  filesAtOnce: 1,
};

/** On two real clusters, which all files share: one after the other. */
export const e2eTests = { files: ['test/e2e/**/*.test.ts'], filesAtOnce: 1 };
