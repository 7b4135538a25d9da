import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMoverArguments } from './main-command.ts';
import { type MoverJobRequest, planMoverJob } from './mover-job.ts';

const aRequest = (fields: Partial<MoverJobRequest> = {}): MoverJobRequest => ({
  namespace: 'stork-system',
  name: 'stork-write-run-1',
  run: 'run-1',
  role: 'destination',
  mode: 'update',
  labels: { 'app.kubernetes.io/managed-by': 'stork-agent' },
  volumes: [
    { name: 'data', claim: 'data-0', volumeMode: 'Filesystem', expectDigest: 'sha256:ab' },
    { name: 'raw', claim: 'raw-0', volumeMode: 'Block' },
  ],
  image: 'stork-agent:1',
  agentUrl: 'https://stork-agent.stork-system.svc:9443',
  agentCa: 'PEM',
  ...fields,
});

const podOf = (fields: Partial<MoverJobRequest> = {}) => {
  const pod = planMoverJob(aRequest(fields)).spec?.template.spec;
  return { pod, container: pod?.containers[0] };
};

describe('the Job of a mover', () => {
  it('runs a command line that the mover understands', () => {
    const args = podOf({ existing: 'Overwrite' }).container?.args ?? [];
    assert.equal(args[0], 'mover');
    const parsed = parseMoverArguments(args.slice(1));
    assert.deepEqual(parsed.volumes, [
      { name: 'data', path: '/volumes/0', kind: 'files', expectDigest: 'sha256:ab' },
      { name: 'raw', path: '/dev/stork-1', kind: 'block', expectDigest: undefined },
    ]);
    assert.equal(parsed.existing, 'Overwrite');
    assert.equal(parsed.mode, 'update');
    assert.ok(parsed.stagingLimitBytes < 1024 ** 3);
  });

  it('has no API token, no privileges beyond its task, and a read-only root', () => {
    const { pod, container } = podOf();
    assert.equal(pod?.automountServiceAccountToken, false);
    assert.deepEqual(container?.securityContext?.capabilities?.drop, ['ALL']);
    assert.equal(container?.securityContext?.readOnlyRootFilesystem, true);
    assert.equal(container?.securityContext?.allowPrivilegeEscalation, false);
    assert.deepEqual(podOf({ role: 'source' }).container?.securityContext?.capabilities?.add, ['DAC_OVERRIDE']);
  });

  it('is what Pod Security`s restricted asks for where root is not admitted', () => {
    const { pod, container } = podOf({ role: 'source', identity: { runAsUser: 1001, fsGroup: 1002 } });
    assert.deepEqual(pod?.securityContext, {
      seccompProfile: { type: 'RuntimeDefault' },
      runAsNonRoot: true,
      runAsUser: 1001,
      fsGroup: 1002,
    });
    assert.deepEqual(container?.securityContext, {
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('mounts the volumes of a source read-only', () => {
    const mounts = (role: 'source' | 'destination') =>
      podOf({ role }).container?.volumeMounts?.find(({ mountPath }) => mountPath === '/volumes/0')?.readOnly;
    assert.equal(mounts('source'), true);
    assert.equal(mounts('destination'), false);
  });

  it('follows the placement of the consumer, without its affinity to other pods', () => {
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } };
    const placement = {
      nodeSelector: { zone: 'a' },
      tolerations: [{ key: 'db' }],
      affinity: { nodeAffinity, podAntiAffinity: {} },
    };
    const { pod } = podOf({ placement });
    assert.deepEqual(pod?.nodeSelector, { zone: 'a' });
    assert.deepEqual(pod?.tolerations, [{ key: 'db' }]);
    assert.deepEqual(pod?.affinity, { nodeAffinity });
  });

  it('is pinned to the node where a live volume is mounted', () => {
    const terms = podOf({ node: 'n1' }).pod?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    assert.deepEqual(terms?.nodeSelectorTerms, [
      { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] },
    ]);
  });

  it('stages in a claim when it is given one, without a limit of its own', () => {
    const { pod, container } = podOf({ scratchClaim: 'scratch-1' });
    const scratch = pod?.volumes?.find(({ name }) => name === 'scratch');
    assert.equal(scratch?.persistentVolumeClaim?.claimName, 'scratch-1');
    assert.equal(container?.args?.includes('--staging-limit'), false);
  });

  it('stages on a node that has the room, where no claim can be its own', () => {
    const { pod, container } = podOf({ identity: { runAsUser: 7 }, scratchBytes: 5_000_000_000 });
    const scratch = pod?.volumes?.find(({ name }) => name === 'scratch');
    // Beside what is known of the volumes.
    assert.ok(Number(scratch?.emptyDir?.sizeLimit) > 5_000_000_000);
    assert.equal(container?.resources?.requests?.['ephemeral-storage'], scratch?.emptyDir?.sizeLimit);
    assert.equal(parseMoverArguments((container?.args ?? []).slice(1)).stagingLimitBytes, 4_500_000_000);
  });
});
