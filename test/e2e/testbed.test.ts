/**
 * The test bed itself, on a bed of its own (number 6), so that a bed in use is
 * not disturbed: starts, serves every kind of volume, and goes
 * without a trace, also after everything was killed.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ensureImage } from '../images/images.ts';
import { bringDown, bringUp, findLeftovers, loadImage, observeState } from '../testbed/bed.ts';
import { ensureBinaries } from '../testbed/binaries.ts';
import { listDaemons } from '../testbed/daemons.ts';
import { countLinkBytes, cutLink } from '../testbed/link.ts';
import { isAlive } from '../testbed/lock.ts';
import { findPlaces, kubeconfigPlace, thisBed } from '../testbed/places.ts';
import type { ClusterName } from '../testbed/plan.ts';
import { runCommand } from '../testbed/run-command.ts';

const minutes = 60_000;
const silent = () => {};

describe('the test bed', { timeout: 25 * minutes }, () => {
  const numberBefore = process.env.STORK_TESTBED_NUMBER;
  before(() => {
    process.env.STORK_TESTBED_NUMBER = '6';
  });
  after(async () => {
    await bringDown(silent);
    if (numberBefore === undefined) delete process.env.STORK_TESTBED_NUMBER;
    else process.env.STORK_TESTBED_NUMBER = numberBefore;
  });

  for (const time of ['once', 'a second time']) {
    it(`comes up, runs a pod with every kind of volume, and goes without a trace, ${time}`, async (test) => {
      const toolbox = await ensureImage('toolbox');
      const startedAt = Date.now();
      await bringUp({ report: silent });
      await loadImage(toolbox);
      test.diagnostic(`up took ${Date.now() - startedAt} ms`);
      await runPodWithEveryVolume();
      await bringDown(silent);
      assert.deepEqual(await findLeftovers(findPlaces()), []);
      assert.equal(await observeState(findPlaces()), 'Down');
    });
  }

  it('returns at once when it is up', async () => {
    await bringUp({ report: silent });
    const lines: string[] = [];
    await bringUp({ report: (line) => lines.push(line) });
    assert.deepEqual(lines, ['the test bed is up already']);
  });

  it('resolves names, and lets only the pair link pass between the clusters', async () => {
    await loadImage(await ensureImage('toolbox'));
    for (const cluster of ['a', 'b'] as const) await applyAndWait(cluster, 'web.yaml', 'web');
    const { a, b } = thisBed();
    const [ownNode, otherNode] = [a.nodes[1]?.address, b.nodes[1]?.address];
    assert.equal(await inPod('a', 'web', 'wget -q -O - http://web.default.svc.cluster.local/'), 'web\n');
    const before = await countLinkBytes();
    assert.equal(await inPod('a', 'web', `wget -q -O - http://${otherNode}:30443/`), 'web\n');
    assert.ok((await countLinkBytes()).aToB > before.aToB);
    assert.equal(await isReachable(a.hostAddress, a.apiServerPort), true);
    assert.equal(await isReachable(ownNode, 10250), true);
    assert.equal(await isReachable(otherNode, 10250), false);
    assert.equal(await isReachable(b.hostAddress, b.apiServerPort), false);
    const otherPod = await kubectl('b', ['get', 'pod', 'web', '--output=jsonpath={.status.podIP}']);
    assert.equal(await isReachable(otherPod, 8080), false);
    await using _cut = await cutLink();
    assert.equal(await isReachable(otherNode, 30443), false);
  });

  it('starts anew after a SIGKILL of everything, with pods running', async () => {
    await loadImage(await ensureImage('toolbox'));
    await runPodWithEveryVolume();
    await killEverything();
    assert.equal(await observeState(findPlaces()), 'Broken');
    await bringUp({ report: silent });
    assert.equal(await observeState(findPlaces()), 'Up');
  });

  it('leaves nothing behind after a SIGKILL of everything, with pods running', async () => {
    await loadImage(await ensureImage('toolbox'));
    await runPodWithEveryVolume();
    await killEverything();
    await bringDown(silent);
    assert.deepEqual(await findLeftovers(findPlaces()), []);
  });
});

describe('the CSI test driver', { timeout: 5 * minutes }, () => {
  it('passes csi-sanity', async () => {
    const binaries = await ensureBinaries(['csi-driver', 'csi-sanity']);
    const folder = await mkdtemp(join(tmpdir(), 'stork-csi-sanity-'));
    const programs = [binaries.path('csi-driver'), binaries.path('csi-sanity')];
    try {
      const output = await runCommand('unshare', [
        '--mount',
        'sh',
        '-euc',
        sanityScript,
        'sanity',
        folder,
        ...programs,
      ]);
      assert.match(output, /SUCCESS!/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** $1: an empty folder, $2: the driver, $3: csi-sanity. The mount ends with the mount namespace. */
const sanityScript = `
truncate -s 20G "$1/image"; mkfs.btrfs -q -f "$1/image" >&2; mkdir "$1/volumes"
mount -o loop "$1/image" "$1/volumes"; btrfs quota enable "$1/volumes"
"$2" node --socket="$1/csi.sock" --node=node-1 --folder="$1/volumes" >&2 & driver=$!
trap 'kill $driver; wait $driver || true; umount "$1/volumes"' EXIT
while [ ! -S "$1/csi.sock" ]; do sleep 0.1; done
"$3" --csi.endpoint="unix://$1/csi.sock" --csi.mountdir="$1/target" --csi.stagingdir="$1/staging" \\
  --csi.testvolumesize=1073741824 --csi.testvolumeexpandsize=2147483648 --ginkgo.no-color
`;

async function runPodWithEveryVolume(): Promise<void> {
  for (const cluster of ['a', 'b'] as const) {
    await applyAndWait(cluster, 'every-volume.yaml', 'p');
    await inPod(cluster, 'p', 'echo kept > /d/file && sync && head -c 4096 /dev/urandom > /dev/blk');
  }
}

/** From a pod of cluster a. */
async function isReachable(address: string | undefined, port: number): Promise<boolean> {
  const answer = await inPod(
    'a',
    'web',
    `nc -w 2 ${address} ${port} </dev/null >/dev/null 2>&1 && echo yes || echo no`,
  );
  return answer.trim() === 'yes';
}

async function applyAndWait(cluster: ClusterName, file: string, pod: string): Promise<void> {
  const manifest = join(import.meta.dirname, '../testbed/testdata', file);
  await kubectl(cluster, ['wait', '--for=create', 'serviceaccount/default', '--timeout=180s']);
  await kubectl(cluster, ['apply', '-f', manifest]);
  await kubectl(cluster, ['wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=180s']);
}

function inPod(cluster: ClusterName, pod: string, script: string): Promise<string> {
  return kubectl(cluster, ['exec', pod, '--', 'sh', '-c', script]);
}

async function kubectl(cluster: ClusterName, args: readonly string[]): Promise<string> {
  const binaries = await ensureBinaries(['kubectl']);
  return runCommand(binaries.path('kubectl'), [`--kubeconfig=${kubeconfigPlace(findPlaces(), cluster)}`, ...args]);
}

async function killEverything(): Promise<void> {
  const running = (await listDaemons(findPlaces().state)).filter(isAlive);
  assert.ok(running.length > 20);
  for (const { pid } of running) killUnlessEnded(pid);
  while (running.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** A sidecar ends by itself when its driver does. */
function killUnlessEnded(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
