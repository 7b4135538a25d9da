/**
 * ResourceTransformations on real clusters (M12, docs/transformations.md): every operation on several kinds, judged by the API
 * server's dry runs; what it would not take is refused by name; a migration brings the transformed objects and leaves the
 * originals as they are.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { expectSuccess } from '../demo/pairing.ts';
import { type Bed, bed, eventually, type MigrationView, migration, removeNamespaces } from './bed.ts';
import { removeKinds, serveKinds } from './custom-kinds.ts';
import { application, bad, good, looks, namespace, widget } from './transform-cases.ts';

interface Transformation {
  readonly status?: {
    readonly status?: string;
    readonly resources?: readonly { readonly kind: string; readonly name: string; readonly status: string }[];
    readonly conditions?: readonly { readonly type: string; readonly message: string }[];
  };
}

describe('transformations on real clusters', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeAll();
    await serveKinds(clusters, 'stork-test-transform', { a: [widget], b: [widget] });
    await clusters.a.apply(application);
  });
  after(removeAll);

  async function removeAll(): Promise<void> {
    await removeNamespaces(clusters, namespace);
    await removeKinds(clusters, 'stork-test-transform', [widget]);
  }

  /** Created by the command; resolves to what the agent says of it. */
  async function verdictOf(name: string, transformSpecs: readonly object[]) {
    const { a } = clusters;
    const { apiVersion, kind } = head;
    const stdin = JSON.stringify({ apiVersion, kind, metadata: { name }, specs: { transformSpecs } });
    expectSuccess(await a.stork(['create', 'resourcetransformation', '-n', namespace, '-f', '-'], { stdin }));
    return await eventually(`ResourceTransformation ${name} is judged`, async () => {
      const args = ['resourcetransformations.stork.libopenstorage.org', name, '-n', namespace];
      const { status } = await a.get<Transformation>(args);
      if (status?.status !== 'Ready' && status?.status !== 'Failed') return undefined;
      const message = status.conditions?.find(({ type }) => type === 'Succeeded')?.message ?? '';
      return { status: status.status, message, resources: status.resources ?? [] };
    });
  }

  it('M12: every operation on eleven kinds is checked by dry runs and found Ready', async () => {
    const verdict = await verdictOf('west', good);
    assert.equal(verdict.status, 'Ready', verdict.message);
    assert.equal(verdict.message, '11 objects fit');
    assert.deepEqual([...new Set(verdict.resources.map(({ status }) => status))], ['Ready']);
    const left = await clusters.a.kubectl(['get', 'all,cm,secret,ingress,pdb,role', '-n', namespace, '-o', 'name']);
    assert.doesNotMatch(left, /stork-check/);
  });

  for (const { what, spec, message } of bad) {
    it(`M12: is refused with the reason: ${what}`, async () => {
      const verdict = await verdictOf(what.replaceAll(/[^a-z]+/g, '-'), [spec]);
      console.log(`${what}: ${verdict.message}`);
      assert.equal(verdict.status, 'Failed');
      assert.match(verdict.message, message);
    });
  }

  it('M12: a migration that names a failed one is refused before anything happens', async () => {
    const status = await migrated('refused', 'an-unknown-field', 1);
    assert.match(status.reason ?? '', /ResourceTransformation reshape\/an-unknown-field is not Ready/);
    assert.equal(await clusters.b.kubectl(['get', 'namespace', namespace, '--ignore-not-found', '-o', 'name']), '');
  });

  async function migrated(name: string, transformation: string, exitCode: number): Promise<MigrationView['status']> {
    const { a } = clusters;
    const args = [
      'create',
      'migration',
      name,
      '-n',
      namespace,
      '-c',
      'b',
      '--namespaces',
      namespace,
      '--wait',
      '--start-applications=false',
    ];
    const result = await a.stork([...args, '--transform-spec', transformation], { timeoutMs: 120_000 });
    assert.equal(result.exitCode, exitCode, `${result.stdout}${result.stderr}`);
    return (await migration(a, namespace, name)).status;
  }

  it('M12: a migration brings them transformed, says by what, and leaves the originals alone', async () => {
    const { a, b } = clusters;
    const read = (side: typeof a) => Promise.all(looks.map(([args, path]) => valueAt(side, args, path)));
    const before = await read(a);
    const status = await migrated('there', 'west', 0);
    assert.deepEqual(
      before,
      looks.map(([, , here]) => here),
    );
    assert.deepEqual(await read(a), before);
    assert.deepEqual(
      await read(b),
      looks.map(([, , , there]) => there),
    );
    const told = (status.resources ?? []).filter(({ transformedBy }) => transformedBy === 'west');
    const ofRules = good.map(({ resource }) => resource.split('/')[2]);
    assert.deepEqual(
      [...new Set(told.map(({ kind }) => kind))].toSorted(),
      // Claims are among the volumes.
      ofRules.filter((kind) => kind !== 'PersistentVolumeClaim').toSorted(),
    );
  });

  it('M12: the replicas of the rule are what activation starts', async () => {
    const { b } = clusters;
    const { stdout } = expectSuccess(await b.stork(['activate', 'migration', '-n', namespace]));
    assert.match(stdout, /Updated replicas for deployment reshape\/web to 3/);
    await b.kubectl(['-n', namespace, 'rollout', 'status', 'deployment/web', '--timeout=180s']);
    const environment = await b.exec(namespace, 'deployment/web', ['sh', '-c', 'echo $REGION']);
    assert.equal(environment.trim(), 'west');
  });

  const valueAt = (side: Bed['a'], args: readonly string[], path: string) =>
    side.kubectl(['get', ...args, '-n', namespace, '-o', `jsonpath={${path}}`]);
});

const head = { apiVersion: 'stork.libopenstorage.org/v1alpha1', kind: 'ResourceTransformation' };
