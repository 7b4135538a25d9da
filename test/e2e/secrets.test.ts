/**
 * Issue 3, acceptance 5: nothing secret that we made is in any spec, status, event, log or process list. The secrets are
 * read from where they belong (Secrets of the agent, tokens in its containers) and looked for everywhere else, also while
 * a pairing and a migration run.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { agentNamespace, type Bed, bed, removeNamespaces } from './bed.ts';
import { deployFiller } from './filler.ts';
import { commandLine, hostPids, podsOf, processesOf } from './node-access.ts';

const namespace = 'secrets';
const tokenFiles = ['/var/run/secrets/kubernetes.io/serviceaccount/token', '/var/run/secrets/stork/token'] as const;

/** What must be nowhere, and what it is called in a failure, which never quotes it. */
type Needles = Map<string, string>;

describe('no secret of ours is where others can read it', () => {
  let clusters: Bed;
  const needles: Needles = new Map();
  /** Where to look: a name and the text. */
  const haystack: { readonly place: string; readonly text: string }[] = [];
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeAll();
    await deployFiller(clusters.a, namespace, { megabytes: 60 });
  });
  after(() => removeAll());

  async function removeAll(): Promise<void> {
    const remove = ['-n', agentNamespace, 'delete', 'clusterpairs.stork.libopenstorage.org', '--ignore-not-found'];
    await clusters.a.kubectl([...remove, 'watched-host']);
    await clusters.b.kubectl([...remove, 'watched-guest']);
    await removeNamespaces(clusters, namespace);
  }

  it('neither while a pair is made and a migration runs, nor afterwards', async () => {
    for (const side of [clusters.a, clusters.b]) await learnSecrets(side, needles);
    const ended = new AbortController();
    const watching = watchProcesses({ needles, haystack, clusters, signal: ended.signal });
    const accepted = await clusters.b.stork(['pair', 'accept', 'watched-guest', '-q']);
    const code = expectSuccess(accepted).stdout.trim();
    learnCode(code, needles);
    expectSuccess(await clusters.a.stork(['pair', 'join', 'watched-host', '--code-file', '-'], { stdin: code }));
    for (const side of [clusters.a, clusters.b]) await learnSecrets(side, needles);
    const args = ['migrate', namespace, '--to', 'b', '--name', 'watched'];
    const migrated = await clusters.a.stork(args, { timeoutMs: 120_000 });
    ended.abort();
    await watching;
    haystack.push({ place: 'the plugin’s output', text: expectSuccess(migrated).stdout + migrated.stderr });
    for (const side of [clusters.a, clusters.b]) await collect(side, haystack);
    console.log(`${needles.size} secrets, ${haystack.length} texts`);
    assert.ok(needles.size >= 10, `only ${needles.size} secrets were found to look for`);
    assert.ok([...needles.values()].some((name) => name.includes('/var/run/secrets/stork/token')));
    assert.ok(
      haystack.some(({ text }) => text.includes('mover --run')),
      'no mover was seen in a process list',
    );
    // The search itself works: the code is found where it may be.
    assert.notDeepEqual(findings(needles, [{ place: 'a mistake', text: `joined with ${code}.` }]), []);
    assert.deepEqual(findings(needles, haystack), []);
  });
});

function findings(needles: Needles, haystack: readonly { place: string; text: string }[]): readonly string[] {
  const found = haystack.flatMap(({ place, text }) =>
    [...needles].filter(([needle]) => text.includes(needle)).map(([, name]) => `${name} is in ${place}`),
  );
  const suspicious = [/-----BEGIN [A-Z ]*PRIVATE KEY/, /stork1\.[A-Za-z0-9_-]{40}/, /eyJhbGciOi[A-Za-z0-9_-]{40}/];
  const looksSecret = haystack.flatMap(({ place, text }) =>
    suspicious.filter((pattern) => pattern.test(text)).map((pattern) => `${pattern.source} matches in ${place}`),
  );
  return [...new Set([...found, ...looksSecret])];
}

/** Fields beside keys that only name an object: here the ClusterPair whose wish for a new key was fulfilled. */
const isName: ReadonlySet<string> = new Set(['rotated-for']);

/** Every Secret's values in the agent's namespace, but for certificates, which are public. */
async function learnSecrets(side: Cluster, needles: Needles): Promise<void> {
  const { items } = await side.get<{
    items: readonly {
      readonly metadata: { readonly name: string };
      readonly data?: Readonly<Record<string, string>>;
    }[];
  }>(['secrets', '-n', agentNamespace]);
  for (const { metadata, data = {} } of items) {
    for (const [field, value] of Object.entries(data)) {
      if (field.endsWith('.crt') || isName.has(field)) continue;
      const name = `${side.context}: ${metadata.name} ${field}`;
      const text = Buffer.from(value, 'base64').toString('utf8');
      needles.set(value, name);
      if (field === 'trust.json') learnTrust(text, name, needles);
      else if (field === 'code') learnCode(text, needles);
      else learnLines(text, name, needles);
    }
  }
}

/** A key may be quoted in part or re-wrapped: each line of it counts. */
function learnLines(text: string, name: string, needles: Needles): void {
  for (const line of text.split('\n')) if (line.length > 30 && !line.startsWith('-----')) needles.set(line, name);
}

/** Of what we know of a peer only the proof's key is secret. */
function learnTrust(text: string, name: string, needles: Needles): void {
  const proofKey = /"proofKey":\s*"([^"]+)"/.exec(text)?.[1];
  if (proofKey !== undefined) needles.set(proofKey, `${name} proofKey`);
}

function learnCode(code: string, needles: Needles): void {
  const payload = code.trim().split('.')[1] ?? '';
  const secret = /"secret":"([^"]+)"/.exec(Buffer.from(payload, 'base64url').toString())?.[1] ?? '';
  assert.ok(secret.length > 40, 'the code holds no secret');
  needles.set(secret, 'the code’s secret').set(payload, 'the code').set(code.trim(), 'the code');
}

/** Everything about us that whoever may read objects and logs can read. */
async function collect(side: Cluster, haystack: { place: string; text: string }[]): Promise<void> {
  const add = async (args: readonly string[]) =>
    haystack.push({ place: `${side.context}: ${args.join(' ')}`, text: await side.kubectl(args) });
  const group = (await side.kubectl(['api-resources', '--api-group=stork.libopenstorage.org', '-o', 'name'])).trim();
  for (const kind of group.split('\n')) await add(['get', kind, '-A', '-o', 'yaml', '--show-managed-fields']);
  for (const kind of ['events', 'events.events.k8s.io', 'pods', 'jobs', 'configmaps', 'deployments', 'leases'])
    await add(['get', kind, '-A', '-o', 'yaml', '--show-managed-fields']);
  await add(['logs', '-n', agentNamespace, 'deployment/stork-agent', '--tail=-1']);
  const [agent] = await podsOf(side, 'app.kubernetes.io/name=stork-agent');
  if ((agent?.status.containerStatuses?.[0]?.restartCount ?? 0) > 0)
    await add(['logs', '-n', agentNamespace, 'deployment/stork-agent', '--previous', '--tail=-1']);
}

/** Looks at all processes' arguments and movers' logs again and again, and learns the movers' tokens from inside. */
async function watchProcesses(given: {
  readonly needles: Needles;
  readonly haystack: { place: string; text: string }[];
  readonly clusters: Bed;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { needles, haystack, clusters, signal } = given;
  const seen = new Set<string>();
  while (!signal.aborted) {
    for (const pid of await hostPids()) {
      const line = await commandLine(pid);
      if (line === '' || seen.has(line)) continue;
      seen.add(line);
      haystack.push({ place: `the process list: ${line.slice(0, 60)}`, text: line });
    }
    for (const side of [clusters.a, clusters.b]) {
      for (const selector of ['stork.libopenstorage.org/run', 'app.kubernetes.io/name=stork-agent'])
        await lookInto(side, selector, { needles, haystack });
    }
    await sleep(500);
  }
}

async function lookInto(
  side: Cluster,
  selector: string,
  { needles, haystack }: { readonly needles: Needles; readonly haystack: { place: string; text: string }[] },
): Promise<void> {
  for (const pod of await podsOf(side, selector)) {
    const { name, namespace: place } = pod.metadata;
    for (const pid of (await processesOf(pod)).slice(0, 1)) {
      for (const file of tokenFiles) {
        const token = await readFile(`/proc/${pid}/root${file}`, 'utf8').catch(() => '');
        if (token !== '') needles.set(token.trim(), `${side.context}: ${file} of ${name}`);
      }
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      haystack.push({ place: `${side.context}: the environment of ${name}`, text: environment });
    }
    if (!selector.endsWith('run')) continue;
    const logs = await side.kubectl(['logs', '-n', place, name]).catch(() => '');
    haystack.push({ place: `${side.context}: the log of ${name}`, text: logs });
  }
}
