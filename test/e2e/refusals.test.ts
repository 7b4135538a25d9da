/**
 * Issue 3, acceptance 5: what a person gets wrong is answered with one message that names it, and changes nothing on
 * either cluster.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { type Cluster, type CommandResult, run } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { cutLink, restoreLink } from '../testbed/link.ts';
import { agentNamespace, type Bed, bed, eventually, removeNamespaces } from './bed.ts';
import { deployFiller } from './filler.ts';

const namespace = 'refusals';
const onlyHere = 'only-on-a';
const invitations = ['guest', 'guest-short'];
const joins = ['host', 'host-again'];

describe('refusals', () => {
  let clusters: Bed;
  /** Expires a minute after the file began, while the other tests run. */
  let shortCode = '';
  let expiresMs = 0;
  before(async () => {
    clusters = await bed(['toolbox']);
    await restoreLink();
    await removeAll();
    shortCode = await accept('guest-short', '60s');
    expiresMs = Date.now() + 61_000;
    await clusters.a.apply(storageClass);
    await deployFiller(clusters.a, namespace, { megabytes: 20, storageClass: onlyHere });
  });
  after(async () => {
    await restoreLink();
    await removeAll();
  });

  async function removeAll(): Promise<void> {
    const remove = ['-n', agentNamespace, 'delete', 'clusterpairs.stork.libopenstorage.org', '--ignore-not-found'];
    await clusters.b.kubectl([...remove, ...invitations]);
    await clusters.a.kubectl([...remove, ...joins]);
    await removeNamespaces(clusters, namespace);
    await clusters.a.kubectl(['delete', 'storageclass', onlyHere, '--ignore-not-found']);
  }

  const accept = async (name: string, ttl: string) =>
    expectSuccess(await clusters.b.stork(['pair', 'accept', name, '--ttl', ttl, '-q'])).stdout.trim();
  const join = (name: string, code: string) =>
    clusters.a.stork(['pair', 'join', name, '--code-file', '-', '--timeout', '30s'], {
      stdin: code,
      timeoutMs: 60_000,
    });
  const migrate = (name: string, ...args: readonly string[]) =>
    clusters.a.stork(['migrate', ...args, '--name', name], { timeoutMs: 60_000 });

  /** Exit code not 0, one message that matches, and both clusters as they were. */
  async function assertRefused(act: () => Promise<CommandResult>, message: RegExp): Promise<void> {
    const earlier = await inventory(clusters);
    const result = await act();
    const said = `${result.stdout}${result.stderr}`;
    console.log(said.trim());
    assert.notEqual(result.exitCode, 0, said);
    assert.match(said, message);
    assert.equal(said.split('\n').filter((line) => message.test(line)).length, 1, `said more than once:\n${said}`);
    assert.doesNotMatch(said, /^\s+at /m);
    assert.deepEqual(await inventory(clusters), earlier);
  }

  it('a mistyped code is refused before it is sent anywhere', async () => {
    const typo = shortCode.replace('.', '.x');
    await assertRefused(() => join('host', typo), /pairing code .*(altered|mistyped)/);
  });

  it('a code with another secret is refused by the other cluster', async () => {
    await assertRefused(() => join('host', withOtherSecret(shortCode)), /code was altered: its secret is wrong/);
  });

  it('a used code is refused, naming what it was used for', async () => {
    const code = await accept('guest', '10m');
    expectSuccess(await join('host', code));
    await assertRefused(() => join('host-again', code), /code was used already.*host/);
  });

  it('an unknown namespace', () => assertRefused(() => migrate('r1', 'no-such-place', '--to', 'b'), /no-such-place/));

  it('an unknown rule', () =>
    assertRefused(
      () => migrate('r2', namespace, '--to', 'b', '--pre-exec-rule', 'no-such-rule'),
      /Rule no-such-rule .*does not exist/,
    ));

  it('an unknown pair', () => assertRefused(() => migrate('r3', namespace, '--to', 'no-such-pair'), /no-such-pair/));

  it('a StorageClass that the destination lacks', () =>
    assertRefused(
      () => migrate('r4', namespace, '--to', 'b'),
      new RegExp(`StorageClass.*${onlyHere}|${onlyHere}.*StorageClass`, 'i'),
    ));

  it('a field with a typo, by kubectl’s own strict validation', () =>
    assertRefused(() => applyOnA(migrationWithTypo), /unknown field "spec\.includeResource"/));

  it('a pair that was never confirmed is not ready, and the message says who must do what', () =>
    assertRefused(() => briefly('r5', 'host'), /ClusterPair stork-system\/host is not Ready: .*confirmed/));

  it('a pair whose link is dead is not ready, and says so', async () => {
    await using _cut = await cutLink('Reject');
    await eventually('the pair notices', async () => {
      const { status } = await clusters.a.get<{ status: { schedulerStatus: string } }>([
        'clusterpairs.stork.libopenstorage.org',
        'b',
        '-n',
        agentNamespace,
      ]);
      return status.schedulerStatus === 'Ready' ? undefined : true;
    });
    await assertRefused(() => briefly('r6', 'b'), /ClusterPair stork-system\/b is not Ready: .*could not be reached/);
  });

  it('an expired code is refused, saying since when', async () => {
    await restoreLink();
    await sleep(Math.max(0, expiresMs - Date.now()));
    await assertRefused(() => join('host-again', shortCode), /code expired at 20\d\d-/);
  });

  /** A migration over a pair that isn't ready waits for it; this one is taken back, as a person would. */
  async function briefly(name: string, pair: string): Promise<CommandResult> {
    const args = ['migrate', namespace, '--to', pair, '--name', name, '--timeout', '5s'];
    const result = await clusters.a.stork(args, { timeoutMs: 60_000 });
    await clusters.a.kubectl([
      '-n',
      namespace,
      'delete',
      'migrations.stork.libopenstorage.org',
      name,
      '--timeout=180s',
    ]);
    return result;
  }

  function applyOnA(yaml: string): Promise<CommandResult> {
    const env = { KUBECONFIG: clusters.a.kubeconfig };
    return run('kubectl', ['--context', 'a', 'apply', '-f', '-'], { stdin: yaml, env });
  }
});

const storageClass = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: ${onlyHere} }
provisioner: csi.testbed.stork
volumeBindingMode: Immediate
`;

const migrationWithTypo = `apiVersion: stork.libopenstorage.org/v1alpha1
kind: Migration
metadata: { name: typo, namespace: ${namespace} }
spec: { clusterPair: b, namespaces: [${namespace}], includeResource: true }
`;

/** A code whose checksum is right and whose secret isn't. */
function withOtherSecret(code: string): string {
  const [prefix = '', payload = ''] = code.split('.');
  const invitation: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  assert.ok(typeof invitation === 'object' && invitation !== null);
  const secret = Buffer.alloc(32, 7).toString('base64url');
  const body = `${prefix}.${Buffer.from(JSON.stringify({ ...invitation, secret })).toString('base64url')}`;
  return `${body}.${crc32(body).toString(16).padStart(8, '0')}`;
}

/** Names and versions of what a refused command could have changed; Migrations apart, whose status tells of the refusal. */
async function inventory(clusters: Bed): Promise<readonly string[]> {
  const sides = await Promise.all([clusters.a, clusters.b].map(inventoryOf));
  return sides.flat();
}

async function inventoryOf(side: Cluster): Promise<readonly string[]> {
  const namespaced =
    'secrets,configmaps,jobs,persistentvolumeclaims,deployments,services,serviceaccounts,clusterpairs.stork.libopenstorage.org,volumesnapshots.snapshot.storage.k8s.io';
  const clusterScoped = 'namespaces,persistentvolumes,storageclasses,volumesnapshotcontents.snapshot.storage.k8s.io';
  const columns =
    'custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name,G:.metadata.generation,U:.metadata.uid';
  const list = (...args: readonly string[]) => side.kubectl(['get', ...args, '--no-headers', '-o', columns]);
  const texts = await Promise.all([
    list(namespaced, '-n', namespace),
    list(namespaced, '-n', agentNamespace),
    list(clusterScoped),
  ]);
  return (
    texts
      .flatMap((text) => text.split('\n'))
      // Goes by itself at its hour, whichever test runs then.
      .filter((line) => line !== '' && !line.includes('stork-invite-guest-short'))
      .map((line) => `${side.context} ${line}`)
      .sort()
  );
}
