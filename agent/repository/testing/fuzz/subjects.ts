/**
 * For tests: every parser of what lies in a repository, with good documents of its kind. Whoever has the key may write anything, sealed as
 * it should be; whoever can write to the bucket anything else.
 */
import { encodeRecord, parseRecord, segmentBytes, segmentsOf } from '../../devices/device-layout.ts';
import { parseConfig } from '../../format/config.ts';
import { parseIndex } from '../../format/index-file.ts';
import { encodeMasterKey, openKeyFile, splitKey } from '../../format/key-file.ts';
import { idOf } from '../../format/object-id.ts';
import { type PackedBlob, parsePackHeader, readHeaderLength, sealBlob, unsealBlob } from '../../format/pack.ts';
import { jsonReader } from '../../format/read-json.ts';
import { scanIndex } from '../../format/scan-index.ts';
import { seal, sealOverheadBytes, unseal } from '../../format/seal.ts';
import { parseSnapshot } from '../../format/snapshot.ts';
import { splitNodes } from '../../format/split-nodes.ts';
import { readNode, readTree } from '../../format/tree.ts';
import { sealDocument, unsealDocument } from '../../format/unpacked.ts';
import { parseIdentities } from '../../keys/age-slot.ts';
import { parseKeyPluginConfig, readAnswer } from '../../keys/key-plugin.ts';
import { openSlot } from '../../keys/unlock.ts';
import { type LedgerEntry, parseEntry } from '../../ledger/ledger-entry.ts';
import { replayer, summaryOf } from '../../ledger/ledger-state.ts';
import { parseLock } from '../../locks/lock-document.ts';
import { parseSettings } from '../../object-lock/remembered-lock.ts';
import { parseHolders, parseMark } from '../../prune/marks.ts';
import { parseSuccessor } from '../../reencrypt/successor.ts';
import { parseManifest } from '../../verify/read-roots.ts';
import { encodePackEnd } from '../encode-pack-end.ts';
import { testKey } from '../write-restore-point.ts';
import { damageBytes, damageJson, oneOf, type Pick } from './damage.ts';
import { hostileFrame } from './hostile-frames.ts';

export interface FuzzSubject {
  readonly name: string;
  /** Something like what a repository holds, damaged as `pick` says; what parses it, at once or by a promise. */
  make(pick: Pick): () => unknown;
}

const id = 'ab'.repeat(32);
const iv = Buffer.alloc(16, 9);
const time = '2026-01-01T00:00:00.123456789+01:00';
const blob = { id, type: 'data', offset: 0, length: 100, uncompressed_length: 300 };
const stats = { mode: 420, mtime: time, ctime: time, uid: 1, gid: 2, inode: 5, device_id: 2 ** 60, links: 2 };
const nodes = [
  { name: 'a\\u00e9\\xff', type: 'file', ...stats, size: 3, content: [id, id] },
  { name: 'b', type: 'dir', ...stats, subtree: id, extended_attributes: [{ name: 'user.a', value: 'AAAA' }] },
  { name: 'c', type: 'symlink', ...stats, linktarget: '/x', linktarget_raw: '//8=' },
  { name: 'd', type: 'chardev', ...stats, device: 259 },
];

/** Costs small enough for many tries; what is asked beyond the limits must be refused before it is spent. */
const keySlot = {
  kdf: 'scrypt',
  N: 2,
  r: 1,
  p: 1,
  salt: 'AAAA',
  data: Buffer.alloc(96).toString('base64'),
  label: 'l',
};
const masterKey = { mac: { k: 'AAAAAAAAAAAAAAAAAAAAAA==', r: 'AAAAAAAAAAAAAAAAAAAAAA==' }, encrypt: keySlot.data };

const deviceRecord = JSON.parse(encodeRecord({ sizeBytes: 5 * segmentBytes + 1, segmentBytes })) as unknown;

function replay(entry: LedgerEntry): unknown {
  const ledger = replayer();
  ledger.add({ is: 'Entry', digest: id, entry });
  return summaryOf(ledger.end().state, new Set(), new Date(0));
}

/** The same in every run. */
const identity = 'AGE-SECRET-KEY-1QURSWPC8QURSWPC8QURSWPC8QURSWPC8QURSWPC8QURSWPC8QURSKMP32K';
const recipient = () => import('age-encryption').then(({ identityToRecipient }) => identityToRecipient(identity));

type Parse = (json: Buffer) => unknown;

const sealedDocuments: readonly { readonly name: string; readonly good: unknown; readonly parse: Parse }[] = [
  {
    name: 'index',
    good: { supersedes: [id], packs: [{ id, blobs: [blob, { ...blob, type: 'tree', uncompressed_length: 0 }] }] },
    parse: (json) => parseIndex(json, 'index'),
  },
  {
    name: 'index, gone through',
    good: { packs: [{ id, blobs: [blob, { ...blob, type: 'tree', uncompressed_length: 7 }] }] },
    parse: (json) => scanIndex(json, 'index', { pack: () => true, blob: () => undefined }),
  },
  {
    name: 'snapshot',
    good: {
      ...{ time, parent: id, tree: id, paths: ['/a', '/b'], hostname: 'h', username: 'u', uid: 1, gid: 2, tags: ['t'] },
      ...{ excludes: ['*.o'], program_version: 'p', summary: { total_files_processed: 1, data_added_packed: 2 } },
    },
    parse: (json) => parseSnapshot(json, 'snapshot'),
  },
  {
    name: 'lock',
    good: {
      ...{ time, exclusive: true, hostname: 'h', username: 'u', pid: 7 },
      stork: { holder: 'x', role: 'writer', pidSpace: 'y' },
    },
    parse: (json) => parseLock(json, 'lock'),
  },
  { name: 'mark', good: { time, packs: [id, id] }, parse: (json) => parseMark(json, 'mark') },
  { name: 'waits', good: { mark: id, holders: ['a', 'b'] }, parse: (json) => parseHolders(json, id, 'waits') },
  {
    name: 'ledger',
    good: {
      ...{ ledger: 1, number: 7, previous: id, summary: true },
      added: [
        { object: `snapshots/${id}`, time, what: 'of h: /a' },
        { object: `stork/keys/${id}`, time },
      ],
      removing: [{ object: `keys/${id}`, time, what: 'removed' }],
    },
    parse: (json) => replay(parseEntry(json, 7, 'ledger')),
  },
  {
    name: 'settings',
    good: { settings: 3, objectLock: 'GOVERNANCE:30' },
    parse: (json) => parseSettings(json, 3, 'settings'),
  },
  {
    name: 'successor',
    good: { place: 's3:x', id, time },
    parse: (json) => parseSuccessor(json, 'successor'),
  },
  { name: 'device', good: deviceRecord, parse: (json) => segmentsOf(parseRecord(json, 'device')).length },
  { name: 'manifest', good: { trees: [id, id] }, parse: (json) => parseManifest(json, 'manifest') },
];

const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Its JSON, or the way it is packed, or the seal. */
function sealedSubject({ name, good, parse }: (typeof sealedDocuments)[number]): FuzzSubject {
  const open = (sealed: Buffer) => parse(unsealDocument(testKey, sealed, name));
  const make = (pick: Pick): (() => unknown) => {
    const json = damageJson(good, pick);
    switch (pick(8)) {
      case 0:
        return () => open(damageBytes(sealDocument(testKey, JSON.stringify(good), iv), pick));
      case 1: {
        const frame = hostileFrame(text(good), pick);
        const encoding = oneOf(pick, 2, 2, 2, 2, 0, 1, 3, 0x7b, 0x5b, 0xff);
        return () => open(seal(testKey, Buffer.concat([Buffer.of(encoding), frame]), iv));
      }
      case 2:
        return () => open(seal(testKey, json, iv));
      default:
        return () => parse(json);
    }
  };
  return { name, make };
}

function parseTreeInParts(json: Buffer): unknown {
  const found: unknown[] = [];
  for (const node of splitNodes(json, 'tree')) found.push(readNode(jsonReader(node, 'tree')));
  return found;
}

const parsePack = (bytes: Buffer): unknown => {
  const length = readHeaderLength(bytes.subarray(-4), bytes.length, 'pack');
  const header = bytes.subarray(bytes.length - 4 - length, bytes.length - 4);
  return parsePackHeader(testKey, header, bytes.length, 'pack');
};

function makePack(pick: Pick): () => unknown {
  const sizes = () => oneOf(pick, sealOverheadBytes, 100, pick(2 ** 20), 0, 2 ** 32 - 1, 2 ** 31);
  const blobs = Array.from(
    { length: 1 + pick(20) },
    (): PackedBlob => ({
      ...({ id, type: oneOf(pick, 'data', 'tree'), offset: 0, length: sizes() } as const),
      uncompressedLength: oneOf(pick, undefined, sizes()),
    }),
  );
  const end = encodePackEnd(testKey, blobs, iv);
  const header = unseal(testKey, end.subarray(0, -4));
  const sealed = seal(testKey, oneOf(pick, header, damageBytes(header, pick)), iv);
  const total = blobs.reduce((sum, { length }) => sum + length, 0);
  const claimed = oneOf(pick, total + sealed.length + 4, pick(2 ** 32), 2 ** 33, 0, 4);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(oneOf(pick, sealed.length, sealed.length, pick(2 ** 32), 0));
  switch (pick(3)) {
    case 0:
      return () => parsePack(damageBytes(Buffer.concat([Buffer.alloc(100), end]), pick));
    case 1:
      return () => parsePackHeader(testKey, sealed, claimed, 'pack');
    default:
      return () => readHeaderLength(length, claimed, 'pack');
  }
}

/** What the index or the header says of it may be wrong, too. */
function makeBlob(pick: Pick): () => unknown {
  const content = oneOf(pick, text({ nodes }), Buffer.alloc(pick(300_000), pick(256)));
  const frame = oneOf(pick, sealBlob(testKey, content, 1, iv).sealed, seal(testKey, hostileFrame(content, pick), iv));
  const uncompressedLength = oneOf(pick, content.length, content.length, 0, 1, pick(2 ** 29), 2 ** 29, undefined);
  const type = oneOf(pick, 'data', 'tree');
  const place: PackedBlob = { id: idOf(content), type, offset: 0, length: frame.length, uncompressedLength };
  return () => unsealBlob(testKey, frame, place, 'pack');
}

function makeKeySlot(pick: Pick): () => unknown {
  const costs = () => oneOf(pick, 1, 2, 8, 2 ** (10 + pick(50)), pick(2 ** 30));
  const asked = pick(3) === 0 ? { ...keySlot, N: costs(), r: costs(), p: costs() } : keySlot;
  return () => openKeyFile(damageJson(oneOf<unknown>(pick, asked, asked, asked, masterKey), pick), 'x', 'key');
}

/** Damaged files of age, and damaged content of good ones. A seed makes the same damage again, in a file under another random key. */
function makeAgeSlot(pick: Pick): () => unknown {
  const content = oneOf(pick, encodeMasterKey(testKey), damageJson(masterKey, pick));
  const choice = pick(3);
  const iterations = pick(2 ** 31);
  return async () => {
    const { Encrypter } = await import('age-encryption');
    const encrypter = new Encrypter();
    encrypter.addRecipient(await recipient());
    const good = Buffer.from(await encrypter.encrypt(content));
    const bytes = choice === 0 ? good : choice === 1 ? damageBytes(good, pick) : hostileAge(good, iterations, pick);
    const slot = damageJson({ kdf: 'age', recipients: ['age1'], data: bytes.toString('base64') }, pick);
    return await openSlot(slot, { by: 'Identities', identities: [identity] }, 'key');
  };
}

/** Its header is text: stanzas without end, of other kinds, and with hostile arguments. */
function hostileAge(good: Buffer, number: number, pick: Pick): Buffer {
  const [first = '', ...lines] = good.toString('latin1').split('\n');
  const stanza = oneOf(
    pick,
    `-> scrypt AAAA ${number}`,
    '-> X25519',
    '-> X25519 AAAA',
    `-> ${'a '.repeat(pick(1000))}`,
    '-> ',
  );
  const body = oneOf(pick, '', 'AAAA', 'A'.repeat(64), '\xff');
  const more = Array.from({ length: oneOf(pick, 1, 1, 20, 5000) }, () => `${stanza}\n${body}`);
  return Buffer.from([first, ...more, ...lines].join('\n'), 'latin1');
}

function makePluginSlot(pick: Pick): () => unknown {
  const wrappingKey = Buffer.alloc(64, 7);
  const content = oneOf(pick, encodeMasterKey(testKey), damageJson(masterKey, pick));
  const data = seal(splitKey(wrappingKey), content, iv);
  const good = { kdf: 'plugin', plugin: 'kms', wrapped: 'AAAA', data: data.toString('base64'), label: 'l' };
  const slot = damageJson(good, pick);
  const answer = oneOf(pick, wrappingKey, wrappingKey, Buffer.alloc(pick(100)));
  const plugin = { name: 'kms', wrap: async () => answer, unwrap: async () => answer };
  return () => openSlot(slot, { by: 'Plugin', plugin }, 'key');
}

function makePluginConfig(pick: Pick): () => unknown {
  const good = { name: 'prod-kms', command: ['/bin/kms', '--key', 'a'], timeoutSeconds: 30 };
  const text = damageJson(good, pick).toString('utf8');
  return () => parseKeyPluginConfig(text, 'config');
}

function makePluginAnswer(pick: Pick): () => unknown {
  const text = damageJson({ key: Buffer.alloc(64).toString('base64') }, pick).toString('utf8');
  return () => readAnswer(text, 'key');
}

function makeIdentities(pick: Pick): () => unknown {
  const text = damageBytes(Buffer.from(`# created: 2026\n${identity}\n\n${identity}\n`), pick).toString('latin1');
  return () => parseIdentities(text, 'identities');
}

export const fuzzSubjects: readonly FuzzSubject[] = [
  ...sealedDocuments.map(sealedSubject),
  {
    name: 'config',
    make: (pick) => () => parseConfig(damageJson({ version: 2, id, chunker_polynomial: '25b468838dcb75' }, pick)),
  },
  { name: 'tree', make: (pick) => () => [...readTree(damageJson({ nodes }, pick), 'tree')] },
  { name: 'tree in parts', make: (pick) => () => parseTreeInParts(damageJson({ nodes }, pick)) },
  { name: 'pack', make: makePack },
  { name: 'blob', make: makeBlob },
  { name: 'key', make: makeKeySlot },
  { name: 'age key', make: makeAgeSlot },
  { name: 'plug-in key', make: makePluginSlot },
  { name: 'plug-in config', make: makePluginConfig },
  { name: 'plug-in answer', make: makePluginAnswer },
  { name: 'identities', make: makeIdentities },
];
