import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { clusterPairs } from '../crds/v1alpha1/index.ts';
import { readEmbeddedKubeconfig } from '../kube/client/embedded-kubeconfig.ts';
import { parse as parseYaml } from '../kube/client/yaml.ts';
import { parseEndpoint } from './pairing/parse-endpoint.ts';
import {
  type Agent,
  becomesJoined,
  becomesReady,
  code,
  condition,
  fingerprint,
  inviting,
  joined,
  pairWorld,
  play,
  write,
} from './play-pairing.ts';
import { assertGolden, terminalWorld } from './terminal-world.ts';

const folder = join(import.meta.dirname, 'testdata', 'kubeconfigs');
const file = (name: string) => join(folder, `${name}.yaml`);
const files = `--src-kube-file ${file('east')} --dest-kube-file ${file('west')}`;
/** Transcripts name files by their place in the repository. */
const local = (transcript: string) => transcript.replaceAll(`${folder}/`, '');

const agentsInTurn = [
  ['west', inviting],
  ['east', becomesJoined],
  ['west', becomesJoined],
  ['west', becomesReady],
  ['east', becomesReady],
] as const;

describe('create clusterpair with two kubeconfigs', () => {
  it('M19: makes one pair on each side, usable both ways', async () => {
    const world = await pairWorld();
    const line = `create clusterpair remote -n shop ${files} --project-mappings p1=p2 --mode migration`;
    assert.equal(await play(world, line, agentsInTurn), 0);
    const key = { namespace: 'shop', name: 'remote' };
    const [here, there] = await Promise.all([
      world.servers.east.client().get(clusterPairs, key),
      world.servers.west.client().get(clusterPairs, key),
    ]);
    for (const { spec } of [here, there]) {
      assert.deepEqual(spec.grant?.directions, ['Receive', 'Send']);
      assert.deepEqual(spec.grant?.namespaces, ['shop']);
      assert.equal(spec.config, undefined, 'no credential is left behind');
    }
    assert.deepEqual(here.spec.platformOptions, { rancher: { projectMappings: { p1: 'p2' } } });
    assert.deepEqual(there.spec.platformOptions, { rancher: { projectMappings: { p2: 'p1' } } });
    assert.ok(!world.transcript().includes(code));
    await assertGolden('create-clusterpair.txt', local(world.transcript()));
  });

  it('M19: -u makes one pair, on the source; the end there only receives', async () => {
    const world = await pairWorld();
    const line = `create clusterpair remote -n shop ${files} -u --destEp west.example.org`;
    assert.equal(await play(world, line, agentsInTurn), 0);
    const here = await world.servers.east.client().get(clusterPairs, { namespace: 'shop', name: 'remote' });
    assert.deepEqual(here.spec.grant?.directions, ['Send']);
    const inbound = { namespace: 'stork-system', name: 'remote-from-east' };
    const there = await world.servers.west.client().get(clusterPairs, inbound);
    assert.deepEqual(there.spec.grant?.directions, ['Receive']);
    assert.deepEqual(there.spec.accept?.endpoints, ['west.example.org:30443']);
    assert.equal(there.spec.confirmedFingerprint, fingerprint);
  });

  it('K9: leaves no pair on either side when one of the steps fails', async () => {
    const refusing: Agent = (client, pair) =>
      write(client, pair, {
        schedulerStatus: 'Error',
        conditions: [condition('Joined', 'False', 'The endpoint can not be reached.', 'PeerUnreachable')],
      });
    const stranger: Agent = (client, pair) =>
      write(client, pair, { ...joined('False'), peer: { fingerprint: `SHA256:${'A'.repeat(43)}`, cluster: 'east' } });
    for (const agents of [
      [agentsInTurn[0], ['east', refusing]],
      [agentsInTurn[0], agentsInTurn[1], ['west', stranger]],
    ] as const) {
      const world = await pairWorld();
      assert.equal(await play(world, `create clusterpair remote -n shop ${files}`, agents), 1);
      for (const server of Object.values(world.servers)) {
        const left = server.objects().filter(({ kind }) => kind === 'ClusterPair');
        assert.deepEqual(left, []);
      }
      assert.match(world.transcript(), /destination: ClusterPair shop\/remote removed again/);
    }
  });

  const mistakes: readonly (readonly [name: string, line: string, message: RegExp])[] = [
    ['no name', files, /exactly one name needs to be provided/],
    ['a bad name', `Remote_1 ${files}`, /the Name "Remote_1" is not valid/],
    ['a bad namespace', `remote -n shop.eu ${files}`, /the Namespace "shop.eu" is not valid/],
    ['no source kubeconfig', `remote --dest-kube-file ${file('west')}`, /missing parameter "src-kube-file"/],
    ['no destination kubeconfig', `remote --src-kube-file ${file('east')}`, /missing parameter "dest-kube-file"/],
    [
      'the same kubeconfig twice',
      `remote --src-kube-file ${file('east')} --dest-kube-file ${file('east')}`,
      /should be different/,
    ],
    [
      'two kubeconfigs with the same content',
      `remote --src-kube-file ${file('east')} --dest-kube-file ${file('same-as-east')}`,
      /should be different/,
    ],
    [
      'a kubeconfig that is not there',
      `remote --src-kube-file nowhere --dest-kube-file ${file('east')}`,
      /can't read nowhere/,
    ],
    ['a mode that does not exist', `remote ${files} --mode always`, /must be async-dr, sync-dr, migration/],
    [
      'an object store',
      `remote ${files} -p s3 --bucket b --s3AccessKey k`,
      /--provider, --bucket, --s3-access-key: not possible/,
    ],
    ['a storage token', `remote ${files} --destToken t`, /--dest-token: not possible/],
    ['a storage address', `remote ${files} --dest-ip 192.0.2.1`, /--dest-ip: not possible/],
    ['a bare address', `remote ${files} --dest-ep 192.0.2.1`, /an address needs its port, e\.g\. 192\.0\.2\.1:30443/],
    ['a port that no socket has', `remote ${files} --dest-ep west.example.org:99999`, /1 to 65535/],
    ['a bad endpoint of the source', `remote ${files} --src-ep http://a:1`, /the scheme is https, not http/],
    ['a dry run', `remote ${files} --dry-run`, /--dry-run goes with -f FILE only/],
    ['a name beside a file', 'remote -f -', /leave the name out/],
  ];
  for (const [name, line, message] of mistakes) {
    it(`K9: refuses ${name}, and nothing is made`, async () => {
      const world = await pairWorld();
      const all = () => Object.values(world.servers).map((server) => server.objects());
      const before = all();
      assert.equal(await world.run(`create clusterpair ${line}`), 1);
      assert.match(world.transcript(), message);
      assert.deepEqual(all(), before);
    });
  }
});

describe('K9: an endpoint', () => {
  for (const [given, read] of [
    ['west.example.org:443', 'west.example.org:443'],
    ['west.example.org', 'west.example.org:30443'],
    ['https://west.example.org:443/', 'west.example.org:443'],
    ['192.0.2.1:30443', '192.0.2.1:30443'],
    ['[2001:db8::1]:30443', '[2001:db8::1]:30443'],
  ] as const)
    it(`may be ${given}`, () => assert.equal(parseEndpoint('dest-ep', given), read));
  for (const given of [
    '192.0.2.1',
    '2001:db8::1',
    '[2001:db8::1]',
    'http://west:1',
    'west:0',
    'west:70000',
    'a b',
    '',
    'west/x',
  ])
    it(`may not be ${given}`, () => assert.throws(() => parseEndpoint('dest-ep', given), { code: 'BadFlag' }));
});

describe('generate clusterpair', () => {
  const generate = async (line: string) => {
    const world = terminalWorld();
    return { exit: await world.run(`generate clusterpair ${line}`), transcript: local(world.transcript()) };
  };

  it('prints a pair that the agent takes: one context, files inlined', async () => {
    for (const name of ['east', 'west']) {
      const { exit, transcript } = await generate(
        `remote -n mysql --kubeconfig ${file(name)} -s ip=192.0.2.7,port=9001`,
      );
      assert.equal(exit, 0);
      const lines = transcript.split('\n').filter((line) => !/^[$!]/.test(line));
      const object = parseYaml(lines.join('\n'));
      assert.deepEqual(Object.keys(object.spec.config.contexts), [name]);
      assert.deepEqual(object.spec.options, { ip: '192.0.2.7', port: '9001' });
      assert.equal(
        readEmbeddedKubeconfig(object.spec.config, 'spec.config').server,
        `https://api.${name}.example:6443`,
      );
      await assertGolden(`generate-clusterpair-${name}.txt`, transcript);
    }
  });

  it("takes the context's namespace, and a server that the flags name", async () => {
    const { transcript } = await generate(`remote --kubeconfig ${file('loopback')} --server https://api.example`);
    assert.match(transcript, /namespace: shop/);
    assert.match(transcript, /server: https:\/\/api\.example/);
  });

  const mistakes: readonly (readonly [name: string, line: string, message: RegExp])[] = [
    ['no name', `--kubeconfig ${file('east')}`, /exactly one name needs to be provided/],
    ['a bad name', `Remote_1 --kubeconfig ${file('east')}`, /the Name "Remote_1" is not valid/],
    ['a bad namespace', `remote -n a.b --kubeconfig ${file('east')}`, /the Namespace "a.b" is not valid/],
    ['options without a value', `remote -s ip --kubeconfig ${file('east')}`, /must be KEY=VALUE/],
    ['a login program', `remote --kubeconfig ${file('exec')}`, /logs in with the program gcloud/],
    ['a server of this machine only', `remote --kubeconfig ${file('loopback')}`, /this machine only/],
    [
      'an unchecked server',
      `remote --kubeconfig ${file('east')} --insecure-skip-tls-verify`,
      /does not check the server/,
    ],
    ['no kubeconfig', 'remote --kubeconfig nowhere.yaml', /nowhere\.yaml can't be read/],
  ];
  for (const [name, line, message] of mistakes) {
    it(`K9: refuses ${name}`, async () => {
      const { exit, transcript } = await generate(line);
      assert.equal(exit, 1);
      assert.match(transcript, message);
    });
  }
});
