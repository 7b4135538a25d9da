import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core, type Pod } from '../client/core.ts';
import { manualClock } from '../clock.ts';
import { StorkError } from '../errors.ts';
import { fakeApiServer } from '../fake/fake-api-server.ts';
import { faulty } from '../fake/faulty.ts';
import { memoryLog } from '../log.ts';
import { type Change, type InformerDefinition, startInformer } from './informer.ts';
import { informerSet } from './informer-set.ts';

interface PodRecord {
  readonly name: string;
  readonly node: string;
  readonly uid: string | undefined;
}

const pods: InformerDefinition<Pod, PodRecord> = {
  resource: core.pods,
  project: (pod) =>
    pod.metadata.labels?.ignore === 'yes'
      ? undefined
      : { name: pod.metadata.name, node: pod.spec?.nodeName ?? '', uid: pod.metadata.uid },
  indexers: { node: (pod) => (pod.node === '' ? [] : [pod.node]) },
};

function aPod(name: string, node = 'n1', labels: Readonly<Record<string, string>> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { nodeName: node, containers: [] },
  };
}

function aServer() {
  const clock = manualClock();
  const server = fakeApiServer({ clock });
  const client = faulty(server.client());
  const log = memoryLog();
  const environment = { client, clock, random: () => 0, log, pageSize: 2 };
  const start = (definition = pods) => {
    const informer = startInformer(definition, environment);
    const seen: string[] = [];
    informer.subscribe((change) => void seen.push(tell(change)));
    const drain = () => seen.splice(0);
    return { informer, drain };
  };
  const remove = (name: string) => client.delete(core.pods, { namespace: 'default', name }, { gracePeriodSeconds: 0 });
  return { clock, server, client, environment, log, start, remove };
}

function tell(change: Change<PodRecord>): string {
  const record = change.type === 'Deleted' ? change.before : change.now;
  return `${change.type} ${record.name}@${record.node}`;
}

describe('informer', () => {
  it('lists page by page, then follows changes in order', async () => {
    const { clock, server, client, start, remove } = aServer();
    for (const name of ['a', 'b', 'c', 'd', 'e']) server.seed(core.pods, aPod(name));
    const { informer, drain } = start();
    await informer.synced();
    assert.equal(informer.size, 5);
    drain();
    await client.create(core.pods, aPod('f'));
    await client.patch(
      core.pods,
      { namespace: 'default', name: 'a' },
      { type: 'merge', body: { spec: { nodeName: 'n2' } } },
    );
    await remove('b');
    await clock.advance(0);
    assert.deepEqual(drain(), ['Added f@n1', 'Changed a@n2', 'Deleted b@n1']);
    await informer[Symbol.asyncDispose]();
    assert.equal(server.watches.count, 0);
  });

  it('finds by key, namespace and index, and forgets old index values', async () => {
    const { clock, client, server, start } = aServer();
    server.seed(core.pods, aPod('a', 'n1'));
    server.seed(core.pods, aPod('b', 'n2'));
    const { informer } = start();
    await informer.synced();
    assert.equal(informer.find('default/a')?.node, 'n1');
    assert.deepEqual(
      informer.by('node', 'n2').map((pod) => pod.name),
      ['b'],
    );
    assert.deepEqual(
      informer.inNamespace('default').map((pod) => pod.name),
      ['a', 'b'],
    );
    assert.deepEqual(informer.inNamespace('other'), []);
    await client.patch(
      core.pods,
      { namespace: 'default', name: 'b' },
      { type: 'merge', body: { spec: { nodeName: 'n1' } } },
    );
    await clock.advance(0);
    assert.deepEqual(informer.by('node', 'n2'), []);
    assert.deepEqual(
      informer.by('node', 'n1').map((pod) => pod.name),
      ['a', 'b'],
    );
    assert.throws(() => informer.by('colour', 'red'), /no index colour/);
    await informer[Symbol.asyncDispose]();
  });

  it('keeps only what project returns, and drops what it no longer returns', async () => {
    const { clock, client, server, start } = aServer();
    server.seed(core.pods, aPod('a', 'n1', { ignore: 'yes' }));
    server.seed(core.pods, aPod('b'));
    const { informer, drain } = start();
    await informer.synced();
    assert.deepEqual(drain(), ['Added b@n1']);
    const label = (name: string, ignore: string | null) =>
      client.patch(
        core.pods,
        { namespace: 'default', name },
        { type: 'merge', body: { metadata: { labels: { ignore } } } },
      );
    await label('b', 'yes');
    await label('a', null);
    await clock.advance(0);
    assert.deepEqual(drain(), ['Deleted b@n1', 'Added a@n1']);
    await informer[Symbol.asyncDispose]();
  });

  it('resumes a dropped watch where it was, without listing again', async () => {
    const { clock, client, server, start } = aServer();
    const { informer, drain } = start();
    await informer.synced();
    server.watches.drop();
    await client.create(core.pods, aPod('a'));
    client.next('listPage', new Error('must not list'));
    await clock.advance(1000);
    assert.deepEqual(drain(), ['Added a@n1']);
    await informer[Symbol.asyncDispose]();
  });

  it('lists again after 410 and tells only the differences', async () => {
    const { clock, client, server, start, remove } = aServer();
    for (const name of ['keeps', 'goes', 'moves']) server.seed(core.pods, aPod(name));
    const { informer, drain } = start();
    await informer.synced();
    drain();
    server.watches.drop();
    await remove('goes');
    await client.create(core.pods, aPod('comes'));
    await client.patch(
      core.pods,
      { namespace: 'default', name: 'moves' },
      { type: 'merge', body: { spec: { nodeName: 'n2' } } },
    );
    server.expireHistory();
    await clock.advance(5000);
    assert.deepEqual(drain().toSorted(), ['Added comes@n1', 'Changed moves@n2', 'Deleted goes@n1']);
    await informer[Symbol.asyncDispose]();
  });

  it('shows an object that was made anew in a gap as deleted, then added', async () => {
    const { clock, client, server, start, remove } = aServer();
    server.seed(core.pods, aPod('a', 'n1'));
    const { informer, drain } = start();
    await informer.synced();
    drain();
    server.watches.drop();
    await remove('a');
    await client.create(core.pods, aPod('a', 'n2'));
    server.expireHistory();
    await clock.advance(5000);
    assert.deepEqual(drain(), ['Deleted a@n1', 'Added a@n2']);
    await informer[Symbol.asyncDispose]();
  });

  it('starts the list over when its continue token expires between pages', async () => {
    const { server, start, client, clock } = aServer();
    for (const name of ['a', 'b', 'c']) server.seed(core.pods, aPod(name));
    const { listPage } = client;
    let pages = 0;
    const environment = {
      clock,
      random: () => 0,
      log: memoryLog(),
      pageSize: 2,
      client: {
        ...client,
        listPage: async (...args: Parameters<typeof listPage>) => {
          pages += 1;
          if (pages === 2) server.expireHistory();
          return await listPage(...args);
        },
      } as typeof client,
    };
    void start;
    const informer = startInformer(pods, environment);
    await clock.advance(5000);
    await informer.synced();
    assert.equal(informer.size, 3);
    await informer[Symbol.asyncDispose]();
  });

  it('uses bookmarks, so that history lost before them costs no new list', async () => {
    const { clock, client, server, start } = aServer();
    const { informer, drain } = start();
    await informer.synced();
    await client.create(core.configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x', namespace: 'default' },
    });
    server.watches.bookmark();
    await clock.advance(0);
    server.expireHistory();
    server.watches.drop();
    client.next('listPage', new Error('must not list'));
    await clock.advance(1000);
    await client.create(core.pods, aPod('a'));
    await clock.advance(0);
    assert.deepEqual(drain(), ['Added a@n1']);
    await informer[Symbol.asyncDispose]();
  });

  it('backs off while the server is away, and says so', async () => {
    const { clock, client, server, start, log } = aServer();
    server.seed(core.pods, aPod('a'));
    const away = new StorkError({ code: 'ApiServerUnreachable', message: 'away', retryable: true });
    for (let times = 0; times < 4; times += 1) client.next('listPage', away);
    const { informer } = start();
    let synced = 'no';
    informer.synced().then(() => {
      synced = 'yes';
    });
    await clock.advance(500 + 1000 + 2000);
    assert.equal(synced, 'no');
    assert.equal(log.lines.filter((line) => line.level === 'warn').length, 4);
    await clock.advance(4000);
    assert.equal(synced, 'yes');
    await informer[Symbol.asyncDispose]();
  });

  it('goes on for a long time through ordinary ends of watches without listing again', async () => {
    const { clock, client, server, start, log } = aServer();
    const { informer, drain } = start();
    await informer.synced();
    client.next('listPage', new Error('must not list'));
    await clock.advance(3_600_000);
    await client.create(core.pods, aPod('a'));
    await clock.advance(0);
    assert.deepEqual(drain(), ['Added a@n1']);
    assert.deepEqual(log.lines, []);
    assert.equal(server.watches.count, 1);
    await informer[Symbol.asyncDispose]();
  });

  it('keeps other subscribers going when one throws, and replays to late ones', async () => {
    const { clock, client, server, start, log } = aServer();
    server.seed(core.pods, aPod('a'));
    const { informer, drain } = start();
    await informer.synced();
    informer.subscribe(() => {
      throw new Error('bad subscriber');
    });
    const late: string[] = [];
    const subscription = informer.subscribe((change) => void late.push(tell(change)));
    assert.deepEqual(late, ['Added a@n1']);
    drain();
    await client.create(core.pods, aPod('b'));
    await clock.advance(0);
    assert.deepEqual([drain(), late], [['Added b@n1'], ['Added a@n1', 'Added b@n1']]);
    assert.equal(log.lines.filter((line) => line.message === 'a subscriber failed').length, 2);
    subscription[Symbol.dispose]();
    await client.create(core.pods, aPod('c'));
    await clock.advance(0);
    assert.equal(late.length, 2);
    await informer[Symbol.asyncDispose]();
  });

  it('rejects synced when it is disposed or aborted before the first list', async () => {
    const { client, start } = aServer();
    for (let times = 0; times < 9; times += 1) client.next('listPage', new Error('away'));
    const { informer } = start();
    const reason = new Error('no time');
    await assert.rejects(informer.synced(AbortSignal.abort(reason)), reason);
    const waiting = assert.rejects(informer.synced());
    await informer[Symbol.asyncDispose]();
    await waiting;
  });
});

describe('informer set', () => {
  it('shares one watch between all who ask for the same definition', async () => {
    const { clock, environment, server, client } = aServer();
    await using set = informerSet(environment);
    const [one, two] = [set.informer(pods), set.informer(pods)];
    assert.equal(one, two);
    const other = set.informer({ ...pods, labelSelector: 'app=x' });
    await set.synced();
    await clock.advance(0);
    assert.equal(server.watches.count, 2);
    await client.create(core.pods, aPod('a'));
    await client.create(core.pods, aPod('b', 'n1', { app: 'x' }));
    await clock.advance(0);
    assert.deepEqual([one.size, other.size], [2, 1]);
  });
});
