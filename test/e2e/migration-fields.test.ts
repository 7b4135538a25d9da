/**
 * The fields of a Migration on real clusters, with the agents' real rights: what they let travel, how it arrives, and what
 * purging takes (M2, M5, M6, M8–M11, M18; reference/stork.md sections 1 and 8). Few migrations, many fields in each.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { run } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { agentNamespace, type Bed, bed, eventually, type MigrationView, removeNamespaces } from './bed.ts';
import {
  addressRange,
  addressRangeName,
  application,
  clusterRole,
  crowd,
  fixedService,
  foreigners,
  kinds,
  labelled,
  main,
  ownedServices,
  traceRules,
} from './field-cases.ts';
import { leftoversOf } from './filler.ts';
import { fieldOf, fieldsOf, namesIn, runMigration } from './run-migration.ts';

const clusterPairs = 'clusterpairs.stork.libopenstorage.org';
const everyNamespace = [main, ...Object.values(labelled), ...crowd];
const told = ({ status }: MigrationView) => `${status.status}: ${status.reason ?? ''}`;

describe('fields of a Migration on real clusters', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeAll();
    const { a, b } = clusters;
    await pairForAdmins();
    await b.apply(foreigners);
    await a.apply(application);
    await a.apply(ownedServices(await fieldOf(a, main, 'deployment/web', '.metadata.uid')));
    await a.apply(traceRules(agentNamespace));
    for (const name of ['deployment/web', 'deployment/starter', 'statefulset/store'])
      await a.kubectl(['-n', main, 'rollout', 'status', name, '--timeout=180s']);
    for (const claim of ['aged', 'scratch'])
      await a.kubectl(['-n', main, 'wait', '--for=jsonpath={.status.phase}=Bound', `pvc/${claim}`, '--timeout=180s']);
    await a.kubectl(['-n', main, 'wait', '--for=condition=complete', 'job/once', '--timeout=180s']);
  });
  after(removeAll);

  async function removeAll(): Promise<void> {
    const { a, b } = clusters;
    await removeNamespaces(clusters, ...everyNamespace);
    const cluster = ['delete', `clusterrole/${clusterRole}`, `clusterrolebinding/${clusterRole}`, '--ignore-not-found'];
    const ours = ['-n', agentNamespace, 'delete', '--ignore-not-found'];
    for (const [side, pair] of [
      [a, 'b-admin'],
      [b, 'a-admin'],
    ] as const) {
      await side.kubectl(cluster);
      await side.kubectl([...ours, clusterPairs, pair]);
    }
    await b.kubectl(['delete', 'servicecidr', addressRangeName, '--ignore-not-found']);
    await a.kubectl([...ours, 'rules.stork.libopenstorage.org', 'fields-before', 'fields-after']);
  }

  /** A second pair of the same clusters, whose grant covers cluster-scoped kinds. */
  async function pairForAdmins(): Promise<void> {
    const rbac = 'rbac.authorization.k8s.io';
    const granted = `ClusterRole.${rbac},ClusterRoleBinding.${rbac}`;
    const names = ['--name', 'b-admin', '--peer-name', 'a-admin', '--grant-cluster-kinds', granted];
    const env = { KUBECONFIG: clusters.a.kubeconfig };
    expectSuccess(await run('kubectl', ['stork', 'pair', 'create', 'a', 'b', ...names], { env, timeoutMs: 120_000 }));
  }

  describe('the first migration: volumes, selectors of namespaces and objects, excluded kinds, an admin pair', () => {
    let done: MigrationView;
    before(async () => {
      done = await runMigration(clusters.a, 'fields-1', {
        namespaces: [main],
        namespaceSelectors: { team: 'red', tier: 'blue', crowd: 'yes' },
        excludeSelectors: { age: 'old', nothing: 'has-it' },
        excludeResourceTypes: ['LimitRange', 'PodDisruptionBudget', 'NoSuchKind'],
        adminClusterPair: 'b-admin',
      });
    });

    it('M5, M6, M9, M10: exactly these objects arrive', async () => {
      assert.equal(told(done), 'Successful: ', JSON.stringify(done.status.resources));
      assert.deepEqual(await namesIn(clusters.b, main, kinds), [
        'configmap/foreign',
        'configmap/settings',
        'configmap/two',
        'cronjob.batch/report',
        'deployment.apps/starter',
        'deployment.apps/web',
        'endpoints/external',
        'endpoints/kept',
        'endpoints/web',
        'networkpolicy.networking.k8s.io/labels',
        'persistentvolumeclaim/data-store-0',
        'service/external',
        'service/kept',
        'service/web',
        'serviceaccount/worker',
        'statefulset.apps/store',
      ]);
      assert.deepEqual(await leftoversOf(clusters, done.metadata.uid), []);
    });

    it('M5, M18: namespaceSelectors are united with namespaces; many at once arrive', async () => {
      const path = 'jsonpath={.items[*].data.of}';
      const args = ['get', 'configmaps', '-A', '--field-selector', 'metadata.name=settings', '-o', path];
      const found = (await clusters.b.kubectl(args)).split(' ').filter((name) => name.startsWith(main));
      assert.deepEqual(found.toSorted(), everyNamespace.filter((name) => name !== labelled.green).toSorted());
    });

    it('M2: without startApplications everything rests, the counts remembered', async () => {
      const { b } = clusters;
      const workloads = ['deployment/web', 'deployment/starter', 'statefulset/store'];
      const counts = { 'Deployment/web': '0', 'Deployment/starter': '0', 'StatefulSet/store': '0' };
      assert.deepEqual(await fieldsOf(b, main, workloads, '.spec.replicas'), counts);
      const remembered = '.metadata.annotations.stork\\.libopenstorage\\.org/migrationReplicas';
      const before = { 'Deployment/web': '2', 'Deployment/starter': '1', 'StatefulSet/store': '1' };
      assert.deepEqual(await fieldsOf(b, main, workloads, remembered), before);
      assert.equal(await fieldOf(b, main, 'cronjob/report', '.spec.suspend'), 'true');
    });

    it('skip-modify-resource: it arrives as it is, not suspended', async () => {
      assert.equal(await fieldOf(clusters.b, labelled.red, 'cronjob/as-it-is', '.spec.suspend'), 'false');
    });

    it('M10: the ServiceAccount that was there is merged: nothing of it is lost', async () => {
      const { b } = clusters;
      const account = await b.get<Account>(['serviceaccount', 'worker', '-n', main]);
      assert.deepEqual(account.imagePullSecrets, [{ name: 'registry-b' }, { name: 'registry-a' }]);
      assert.equal(account.automountServiceAccountToken, false);
      assert.equal(account.metadata.annotations.owner, 'b');
      assert.equal(account.metadata.annotations.team, 'a');
    });

    it('M10: Services get addresses of the destination; Endpoints made by hand keep theirs', async () => {
      const { a, b } = clusters;
      const address = (side: typeof a) => fieldOf(side, main, 'service/web', '.spec.clusterIP');
      assert.notEqual(await address(b), await address(a));
      assert.equal(await fieldOf(b, main, 'endpoints/external', '.subsets[0].addresses[0].ip'), '192.0.2.1');
    });

    it('M6: what is cluster-scoped came over adminClusterPair, the rest over clusterPair', async () => {
      const { a, b } = clusters;
      const pairOf = '.metadata.annotations.stork\\.libopenstorage\\.org/migration-pair';
      const idOf = (name: string) => fieldOf(a, agentNamespace, `${clusterPairs}/${name}`, '.status.pairId');
      for (const kind of ['clusterrole', 'clusterrolebinding'])
        assert.equal(await fieldOf(b, main, `${kind}/${clusterRole}`, pairOf), await idOf('b-admin'));
      assert.equal(await fieldOf(b, main, 'configmap/settings', pairOf), await idOf('b'));
    });
  });

  describe('the second: no volumes, selectors, rules, optional kinds, addresses, and the application started', () => {
    let done: MigrationView;
    let address = '';
    before(async () => {
      const { a } = clusters;
      for (const name of ['settings', 'two'])
        await a.kubectl(['-n', main, 'patch', 'configmap', name, '-p', '{"data":{"of":"second"}}']);
      address = (await fieldOf(a, main, 'service/web', '.spec.clusterIP')).replace(/\d+\.\d+$/, '250.7');
      await a.apply(fixedService(address));
      await clusters.b.apply(addressRange(address));
      await clusters.b.kubectl(['wait', '--for=condition=Ready', `servicecidr/${addressRangeName}`, '--timeout=180s']);
      done = await runMigration(a, 'fields-2', {
        namespaces: [main],
        selectors: { part: 'two' },
        includeVolumes: false,
        includeOptionalResourceTypes: ['Job'],
        includeNetworkPolicyWithCIDR: true,
        ignoreOwnerReferencesCheck: true,
        skipServiceUpdate: true,
        startApplications: true,
        preExecRule: 'fields-before',
        postExecRule: 'fields-after',
      });
    });

    it('M5: selectors take only what has all labels', async () => {
      assert.equal(told(done), 'Successful: ', JSON.stringify(done.status.resources));
      assert.equal(await fieldOf(clusters.b, main, 'configmap/two', '.data.of'), 'second');
      assert.equal(await fieldOf(clusters.b, main, 'configmap/settings', '.data.of'), main);
    });

    it('M1, M6, M9: Job, NetworkPolicy with CIDR and the owned Service arrive now', async () => {
      const there = await namesIn(clusters.b, main, 'jobs,networkpolicies,services');
      for (const name of ['job.batch/once', 'networkpolicy.networking.k8s.io/cidr', 'service/owned'])
        assert.ok(there.includes(name), name);
      assert.equal(await fieldOf(clusters.b, main, 'service/owned', '.metadata.ownerReferences'), '');
    });

    it('M10: skipServiceUpdate keeps the address of a Service', async () => {
      assert.equal(await fieldOf(clusters.b, main, 'service/fixed', '.spec.clusterIP'), address);
    });

    it('M2: startApplications starts what this migration brought, and nothing else', async () => {
      const { b } = clusters;
      await b.kubectl(['-n', main, 'rollout', 'status', 'deployment/starter', '--timeout=180s']);
      const counts = { 'Deployment/starter': '1', 'Deployment/web': '0' };
      assert.deepEqual(await fieldsOf(b, main, ['deployment/starter', 'deployment/web'], '.spec.replicas'), counts);
      assert.equal(await fieldOf(b, main, 'statefulset/store', '.spec.replicas'), '0');
    });

    it('the rules ran, once in each pod, before and after, though no volume was cut', async () => {
      const { a } = clusters;
      const pods = (await a.kubectl(['-n', main, 'get', 'pods', '-l', 'app=web', '-o', 'name']))
        .split('\n')
        .filter(Boolean);
      assert.equal(pods.length, 2);
      for (const pod of pods)
        assert.equal(await a.exec(main, pod, ['cat', '/tmp/trace']), 'fields-before\nfields-after\n');
    });
  });

  it('M6, M11: includeResources false moves volumes alone, at the size that they have now', async () => {
    const { a, b } = clusters;
    await a.kubectl(['-n', main, 'create', 'configmap', 'late']);
    const size = '{"spec":{"resources":{"requests":{"storage":"96Mi"}}}}';
    await a.kubectl(['-n', main, 'patch', 'pvc', 'data-store-0', '-p', size]);
    await a.kubectl([
      '-n',
      main,
      'wait',
      '--for=jsonpath={.status.capacity.storage}=96Mi',
      'pvc/data-store-0',
      '--timeout=180s',
    ]);
    const done = await runMigration(a, 'fields-3', { namespaces: [main], includeResources: false });
    assert.equal(told(done), 'Successful: ');
    assert.equal(done.status.summary?.volumes, '2/2');
    const there = await namesIn(b, main, 'configmaps,persistentvolumeclaims');
    assert.ok(there.includes('persistentvolumeclaim/aged'));
    assert.ok(!there.includes('persistentvolumeclaim/scratch'));
    assert.ok(!there.includes('configmap/late'));
    assert.equal(await fieldOf(b, main, 'pvc/data-store-0', '.status.capacity.storage'), '96Mi');
  });

  describe('purgeDeletedResources, with the rights that install gives', () => {
    const spec = {
      namespaces: [main],
      purgeDeletedResources: true,
      includeOptionalResourceTypes: ['Job'],
      // Its volume has arrived.
      excludeSelectors: { age: 'old' },
    };
    const purgedOf = ({ status }: MigrationView) =>
      (status.resources ?? [])
        .filter((one) => one.status === 'Purged')
        .map(({ kind, name }) => `${kind}/${name}`)
        .toSorted();
    let volume = '';
    before(async () => {
      const { a, b } = clusters;
      volume = await fieldOf(b, main, 'pvc/data-store-0', '.spec.volumeName');
      const ports = '[{"op":"replace","path":"/spec/ports/0/port","value":8080}]';
      await a.kubectl(['-n', main, 'patch', 'service', 'web', '--type', 'json', '-p', ports]);
      await b.kubectl(['-n', main, 'annotate', 'configmap', 'two', 'stork.libopenstorage.org/skip-resource=true']);
      await a.kubectl([
        '-n',
        main,
        'delete',
        'statefulset/store',
        'networkpolicy/cidr',
        'serviceaccount/worker',
        'job/once',
      ]);
      await a.kubectl([
        '-n',
        main,
        'delete',
        'pvc/data-store-0',
        'configmap/settings',
        'configmap/two',
        '--timeout=180s',
      ]);
    });

    it('M8: nothing goes while an application that came by the pair runs over there', async () => {
      const done = await runMigration(clusters.a, 'fields-4', { ...spec, includeVolumes: false });
      assert.equal(done.status.status, 'PartialSuccess');
      assert.match(done.status.reason ?? '', /deployment fields\/starter runs on the destination: deactivate it first/);
      assert.deepEqual(purgedOf(done), []);
      assert.equal(await fieldOf(clusters.b, main, 'configmap/settings', '.data.of'), main);
    });

    it('M8: StatefulSet, claim and what else is gone here goes there, status Purged; what is not ours stays', async () => {
      const { a, b } = clusters;
      const off = await b.stork(['deactivate', 'migration', '-n', main], { timeoutMs: 60_000 });
      assert.match(expectSuccess(off).stdout, /Updated replicas for deployment fields\/starter to 0/);
      await b.kubectl(['-n', main, 'wait', '--for=delete', 'pod', '-l', 'app=starter', '--timeout=180s']);
      const done = await runMigration(a, 'fields-5', spec);
      assert.equal(told(done), 'Successful: ', JSON.stringify(done.status.resources));
      assert.deepEqual(purgedOf(done), [
        'ConfigMap/settings',
        'Job/once',
        'NetworkPolicy/cidr',
        'PersistentVolumeClaim/data-store-0',
        'StatefulSet/store',
      ]);
      await eventually(
        'the purged are gone',
        async () => {
          const there = await namesIn(b, main, 'statefulsets,persistentvolumeclaims,networkpolicies,configmaps,jobs');
          return there.join(' ') ===
            'configmap/foreign configmap/late configmap/two networkpolicy.networking.k8s.io/labels persistentvolumeclaim/aged'
            ? 'gone'
            : undefined;
        },
        30_000,
      );
      assert.equal(await fieldOf(b, main, 'configmap/foreign', '.data.of'), 'b');
      assert.equal(await fieldOf(b, main, 'serviceaccount/worker', '.metadata.annotations.owner'), 'b');
    });

    it('M10: the changed port of a Service came along', async () => {
      assert.equal(await fieldOf(clusters.b, main, 'service/web', '.spec.ports[*].port'), '8080');
    });

    it('M8: the purged claim’s volume is kept', async () => {
      assert.equal(await fieldOf(clusters.b, main, `pv/${volume}`, '.spec.persistentVolumeReclaimPolicy'), 'Retain');
      assert.equal(
        await fieldOf(clusters.b, main, `pv/${volume}`, '.metadata.labels.stork\\.libopenstorage\\.org/purged'),
        'true',
      );
      await clusters.b.kubectl(['patch', 'pv', volume, '-p', '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}']);
    });
  });

  describe('what is refused before any effect', () => {
    const refusals: readonly (readonly [what: string, spec: object, reason: RegExp, namespace?: string])[] = [
      [
        'M4: a namespace other than its own',
        { namespaces: [main] },
        /can only migrate that namespace, not fields/,
        labelled.red,
      ],
      [
        'M5: a namespace that is gone, with skipDeletedNamespaces false',
        { namespaces: [main, 'fields-gone'], skipDeletedNamespaces: false },
        /Namespace fields-gone does not exist/,
      ],
      [
        'M5: namespaceSelectors that match none',
        { namespaceSelectors: { team: 'nobody' } },
        /No namespace has a label/,
      ],
      [
        'M8: purging without resources',
        { namespaces: [main], purgeDeletedResources: true, includeResources: false },
        /purgeDeletedResources needs spec.includeResources/,
      ],
      [
        'M6: an admin pair that is not there',
        { namespaces: [main], adminClusterPair: 'nope' },
        /\(spec.adminClusterPair\) nope does not exist/,
      ],
    ];
    for (const [what, spec, reason, namespace = agentNamespace] of refusals)
      it(what, async () => {
        const name = `refused-${what.slice(0, 2).toLowerCase()}-${Object.keys(spec).length}`;
        const done = await runMigration(clusters.a, name, spec, { namespace });
        assert.equal(done.status.status, 'Failed');
        assert.match(done.status.reason ?? '', reason);
        await eventually('an event', async () => {
          const events = await clusters.a.kubectl([
            '-n',
            namespace,
            'get',
            'events',
            '--field-selector',
            `involvedObject.name=${name},type=Warning`,
            '-o',
            'name',
          ]);
          return events === '' ? undefined : events;
        });
      });
  });
});

interface Account {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly imagePullSecrets: readonly { readonly name: string }[];
  readonly automountServiceAccountToken?: boolean;
}
