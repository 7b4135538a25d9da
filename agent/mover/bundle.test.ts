import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import type { BundleMessage } from './bundle-message.ts';
import { byteWriter } from './byte-codec.ts';
import type { Entry } from './entry.ts';
import { blockStates, type Job, type WorkerPool } from './job.ts';
import { writeStates } from './message.ts';
import { scanRecords } from './scan-records.ts';
import { digestBatch, scanVolume } from './scan-volume.ts';
import { openSyscalls } from './syscalls.ts';
import { anEntry, offer } from './testing/hostile-source.ts';
import {
  chanceBytes,
  copyVolume,
  digestOf,
  memoryRelay,
  type Scratch,
  scratch,
  seededChance,
} from './testing/test-volumes.ts';
import { canTell, fillWithEverything } from './testing/tree-of-everything.ts';
import { writeBatch } from './tree-cache.ts';
import { treeDigester } from './tree-digest.ts';
import { createTreeFile } from './tree-file.ts';
import { inlinePool } from './worker-pool.ts';

/** Small files in directories, with symlinks and empty files among them. */
function fill(root: string, files: number, sizeBytes: number): void {
  const chance = seededChance(files);
  for (let at = 0; at < files; at++) {
    const directory = `${root}/d${Math.floor(at / 50)}`;
    mkdirSync(directory, { recursive: true });
    writeFileSync(`${directory}/f${at}`, chanceBytes(chance, at % 17 === 0 ? 0 : Math.floor(chance() * sizeBytes)));
    if (at % 31 === 0) symlinkSync(`f${at}`, `${directory}/link${at}`);
  }
}

describe('records of a scan', () => {
  /** The tree file and the digest of a scan. */
  async function scanned(space: Scratch, root: string, scan: typeof scanVolume) {
    const digester = treeDigester();
    const file = space.path(`${scan.name}-tree`);
    const writer = createTreeFile(file);
    const options = { key: Buffer.alloc(16, 7), root, kind: 'files', tags: true, settledNs: 0n } as const;
    for await (const batch of scan({ ...options, pool: inlinePool(), syscalls: openSyscalls() })) {
      digestBatch(digester, batch);
      writeBatch(writer, batch, options.settledNs);
    }
    writer.close('Cached');
    return { digest: digester.finish(), bytes: readFileSync(file) };
  }

  it('are byte by byte what is written of items, and give the same digest', async () => {
    using space = scratch();
    const root = space.path('volume');
    mkdirSync(root);
    fill(root, 400, 90_000);
    // Attributes, owners and devices need root.
    if (canTell) fillWithEverything(root);
    const [items, records] = [await scanned(space, root, scanVolume), await scanned(space, root, scanRecords)];
    assert.deepEqual(records.digest, items.digest);
    assert.equal(records.bytes.equals(items.bytes), true);
  });
});

describe('a bundle whose stream breaks', () => {
  it('is read and sent again, and counts as what it holds then', async () => {
    using space = scratch();
    const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
    mkdirSync(from);
    mkdirSync(to);
    fill(from, 300, 30_000);
    const relay = memoryRelay();
    let cuts = 0;
    const connect = async (signal: AbortSignal): Promise<Duplex> => {
      const stream = await relay.source(signal);
      if (cuts > 0) return stream;
      let written = 0;
      const write = stream.write.bind(stream) as (chunk: Uint8Array) => boolean;
      stream.write = (chunk: Uint8Array) => {
        written += chunk.length;
        if (written < 200_000 || cuts > 0) return write(chunk);
        cuts++;
        writeFileSync(`${from}/d0/f1`, 'something else');
        utimesSync(`${from}/d0/f2`, 1, 1);
        relay.cut();
        return false;
      };
      return stream;
    };
    const { source, destination } = await copyVolume({ from, to, staging, relay, source: { connect } });
    assert.equal(cuts, 1);
    assert.equal(destination.digest, source.digest);
    assert.equal((await digestOf(to)).digest, source.digest);
    assert.ok((source.warnings.changed ?? 0) >= 1, 'the change was not noticed');
    assert.equal(readFileSync(`${to}/d0/f1`).subarray(0, 14).toString(), 'something else');
  });
});

describe('many small files', () => {
  it('are written to storage while others come, not all at the end', async () => {
    using space = scratch();
    const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
    mkdirSync(from);
    mkdirSync(to);
    const content = chanceBytes(seededChance(3), 200_000);
    for (let at = 0; at < 750; at++) writeFileSync(`${from}/f${at}`, content);
    const jobs: Job['do'][] = [];
    const inline = inlinePool();
    const pool: WorkerPool = {
      ...inline,
      run: (job, signal) => {
        jobs.push(job.do);
        return inline.run(job, signal);
      },
    };
    await copyVolume({ from, to, staging, pool });
    const [first, last] = [jobs.indexOf('sync'), jobs.lastIndexOf('sync')];
    assert.ok(first < jobs.lastIndexOf('fill'), 'nothing was written while others came');
    assert.ok(last > jobs.lastIndexOf('fill'), 'the rest was not written');
  });
});

describe('a hostile bundle', () => {
  const root = anEntry({});
  const aFile = (path: string, size: number) => anEntry({ path, type: 'file', size, mode: 0o644 });
  interface Made {
    readonly entries: readonly Entry[];
    /** Of each file with content. */
    readonly states?: readonly number[];
    readonly payload?: Uint8Array;
    readonly change?: (message: BundleMessage) => BundleMessage;
    readonly withoutSegments?: boolean;
  }
  const content = Buffer.from('0123456789');

  function bundleOf(space: Scratch, made: Made): BundleMessage {
    const { entries, states = [blockStates.sent], payload = content, change, withoutSegments = false } = made;
    const writer = createTreeFile(space.path('records'));
    let segments = 0;
    for (const entry of entries) {
      writer.addEntry({ found: { entry, inode: 1n, changedNs: 1n, sparse: false }, settled: true });
      if (entry.size === 0 || withoutSegments) continue;
      segments++;
      writer.addSegment(Buffer.alloc(32), undefined);
    }
    writer.close('Cached');
    const ofBlocks = byteWriter();
    for (const state of states) writeStates(ofBlocks, Uint8Array.of(state));
    const bytes = entries.reduce((sum, { size }) => sum + size, 0);
    const run = { pieces: [readFileSync(space.path('records'))], entries: entries.length, bytes };
    const pack = { payload, compressed: false, rawLength: payload.length, states: ofBlocks.take() };
    const message = { item: 1, run: { ...run, records: entries.length + segments }, pack };
    return change?.(message) ?? message;
  }

  const nothing = { states: [], payload: new Uint8Array(0) } as const;
  const bundles: Readonly<Record<string, Made>> = {
    'a path that climbs': { entries: [anEntry({ path: '../out' })], ...nothing },
    'a file below a symlink': {
      entries: [anEntry({ path: 'a', type: 'symlink', target: '..' }), aFile('a/out', 10)],
    },
    'a file in no directory': { entries: [aFile('a/b', 10)] },
    'entries out of order': { entries: [aFile('b', 10), anEntry({ path: 'a' })] },
    'a hard link': { entries: [anEntry({ path: 'a', type: 'hardlink', target: 'b' })], ...nothing },
    'a special file': { entries: [anEntry({ path: 'a', type: 'fifo' })], ...nothing },
    'the root': { entries: [root], ...nothing },
    'a file of several segments': { entries: [aFile('a', 5 * 1024 * 1024)] },
    'a directory with content': { entries: [anEntry({ path: 'a', size: 10 })] },
    'a file without its segment': { entries: [aFile('a', 10)], withoutSegments: true },
    'impossible mode bits': { entries: [anEntry({ path: 'a', mode: 0o170000 })], ...nothing },
    'impossible mode bits of a file': { entries: [{ ...aFile('a', 10), mode: 0o170000 }] },
    'fewer entries than it says': {
      entries: [aFile('a', 10)],
      change: (message) => ({ ...message, run: { ...message.run, entries: 2 } }),
    },
    'other contents than it says': {
      entries: [aFile('a', 10)],
      change: (message) => ({ ...message, run: { ...message.run, bytes: 11 } }),
    },
    'a torn record': {
      entries: [aFile('a', 10)],
      change: (message) => ({
        ...message,
        run: { ...message.run, pieces: [message.run.pieces[0]?.subarray(0, -3) ?? content] },
      }),
    },
    'a number that is not next': { entries: [aFile('a', 10)], change: (message) => ({ ...message, item: 2 }) },
    'a block left out': { entries: [aFile('a', 10)], states: [blockStates.same], payload: new Uint8Array(0) },
    'too little content': { entries: [aFile('a', 11)] },
    'too much content': { entries: [aFile('a', 9)] },
    'states of too many files': { entries: [aFile('a', 10)], states: [blockStates.sent, blockStates.sent] },
    'states of no file': { entries: [aFile('a', 10)], states: [] },
  };
  for (const [name, made] of Object.entries(bundles)) {
    it(`is refused: ${name}`, async () => {
      using space = scratch();
      const error = await offer(space, [root], { bundle: bundleOf(space, made) });
      assert.ok(error instanceof Error && 'code' in error, String(error));
      assert.equal(error.code, 'ProtocolError');
      assert.equal(existsSync(space.path('out')), false);
    });
  }

  it('is refused by a volume that is updated, and nothing was changed', async () => {
    using space = scratch();
    const held = ['a', 'b'];
    const error = await offer(space, [root], { held, bundle: bundleOf(space, { entries: [aFile('c', 10)] }) });
    assert.ok(error instanceof Error && 'code' in error && error.code === 'ProtocolError');
    assert.deepEqual(readdirSync(space.path('to')), held);
  });
});
