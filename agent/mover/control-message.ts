/** The JSON messages of the protocol: greeting, beginning and end of volumes, the end of the run, failure. Schema-checked on arrival. */
import type { Counts, MoverMode, MoverRole } from './contract.ts';
import { moverModes, moverRoles } from './contract.ts';
import { fail } from './mover-error.ts';
import { type DigestPart, digestParts, type TreeDigest } from './tree-digest.ts';
import type { VolumeKind } from './walk.ts';

/** 1 hashed every block with SHA-256, 2 pushed to fresh volumes only, 3 sent every entry, 4 each of a new volume; no release spoke them. */
export const protocolVersion = 5;

/** First message of both on every stream. `volume`, `received`, `settled`: where a receiver is, for continuing on a new stream. */
export interface Hello {
  readonly type: 'hello';
  readonly protocol: number;
  readonly role: MoverRole;
  readonly run: string;
  /** Random for each start of a process' engine. */
  readonly instance: string;
  /** The peer's instance that our progress belongs to; null when we have none. */
  readonly peer: string | null;
  /** The run's key in hex, from the receiver; null from a sender. */
  readonly key: string | null;
  readonly mode: MoverMode | null;
  readonly volumes: readonly string[];
  readonly volume: number;
  /** Whether the receiver already said `ready` for this volume. */
  readonly ready: boolean;
  /** A receiver that lost its stream after everything was safe: the sender may go. */
  readonly concluded: boolean;
  readonly received: number;
  readonly settled: number;
  /** Of all volumes together, as the sender measured them before it began; 0 from a receiver. */
  readonly totalBytes: number;
  readonly totalFiles: number;
}

export interface VolumeStart {
  readonly type: 'volumeStart';
  readonly volume: number;
  readonly name: string;
  readonly kind: VolumeKind;
  /** Of a block device; 0 for files. */
  readonly sizeBytes: number;
}

export interface VolumeReady {
  readonly type: 'volumeReady';
  readonly volume: number;
  /** What comes after this path (latin1) is sent with its contents without asking, plain entries as bundles; null: ask for everything. */
  readonly pushAfter: string | null;
  /**
   * The content part of what the receiver holds, if it can tell: a sender whose last sync left exactly that sends what
   * changed in files since without being asked, and of those only the changed blocks.
   */
  readonly base: string | null;
  /** All of its digest: a sender whose last sync left exactly that names what is unchanged by runs of entries. */
  readonly whole: string | null;
}

export interface VolumeEnd {
  readonly type: 'volumeEnd';
  readonly volume: number;
  readonly items: number;
  readonly tree: TreeDigest;
  readonly warnings: Counts;
}

export interface VolumeDone {
  readonly type: 'volumeDone';
  readonly volume: number;
}

/** Sender → receiver: no more volumes. Receiver → sender: everything safe, you may go. */
export interface Finish {
  readonly type: 'finish';
}

/** The peer can't go on; told so that both name the same cause. */
export interface Failure {
  readonly type: 'failure';
  readonly code: string;
  readonly message: string;
}

export type Control = Hello | VolumeStart | VolumeReady | VolumeEnd | VolumeDone | Finish | Failure;

const controlLimitBytes = 64 * 1024;

export const encodeControl = (control: Control): Uint8Array => Buffer.from(JSON.stringify(control));

export function decodeControl(payload: Buffer): Control {
  if (payload.length > controlLimitBytes) fail('ProtocolError', 'A control message is too large');
  const fields = objectOf(parseJson(payload));
  switch (fields.type) {
    case 'hello':
      return helloOf(fields);
    case 'volumeStart':
      return {
        type: 'volumeStart',
        volume: count(fields.volume),
        name: text(fields.name),
        kind: fields.kind === 'block' ? 'block' : 'files',
        sizeBytes: count(fields.sizeBytes),
      };
    case 'volumeReady':
      return {
        type: 'volumeReady',
        volume: count(fields.volume),
        pushAfter: fields.pushAfter === null ? null : text(fields.pushAfter),
        base: fields.base === null ? null : text(fields.base),
        whole: fields.whole === null ? null : text(fields.whole),
      };
    case 'volumeEnd':
      return {
        type: 'volumeEnd',
        volume: count(fields.volume),
        items: count(fields.items),
        tree: treeOf(objectOf(fields.tree)),
        warnings: countsOf(objectOf(fields.warnings)),
      };
    case 'volumeDone':
      return { type: 'volumeDone', volume: count(fields.volume) };
    case 'finish':
      return { type: 'finish' };
    case 'failure':
      return { type: 'failure', code: text(fields.code), message: text(fields.message) };
    default:
      return fail('ProtocolError', 'A control message is of an unknown type');
  }
}

function helloOf(fields: Fields): Hello {
  const protocol = count(fields.protocol);
  if (protocol !== protocolVersion)
    fail('ProtocolVersion', `The peer speaks mover protocol ${protocol}, we speak ${protocolVersion}`);
  const volumes = Array.isArray(fields.volumes) ? fields.volumes.slice(0, 256).map(text) : [];
  return {
    type: 'hello',
    protocol,
    role: oneOf(fields.role, moverRoles),
    run: text(fields.run),
    instance: text(fields.instance),
    peer: fields.peer === null ? null : text(fields.peer),
    key: fields.key === null ? null : text(fields.key),
    mode: fields.mode === null ? null : oneOf(fields.mode, moverModes),
    volumes,
    volume: count(fields.volume),
    ready: fields.ready === true,
    concluded: fields.concluded === true,
    received: count(fields.received),
    settled: count(fields.settled),
    totalBytes: count(fields.totalBytes),
    totalFiles: count(fields.totalFiles),
  };
}

export function treeOf(fields: Fields): TreeDigest {
  const sums = objectOf(fields.parts);
  const parts = Object.fromEntries(digestParts.map((part) => [part, text(sums[part])]));
  return {
    digest: text(fields.digest),
    parts: assertParts(parts),
    files: count(fields.files),
    bytes: count(fields.bytes),
  };
}

// `Object.fromEntries` forgets the keys it was given.
function assertParts(parts: Record<string, string>): Record<DigestPart, string> {
  return parts as Record<DigestPart, string>;
}

export type Fields = Readonly<Record<string, unknown>>;

export function objectOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) return fail('ProtocolError', 'A control message lacks an object');
  return Object.fromEntries(Object.entries(value));
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return fail('ProtocolError', 'A control message is not JSON');
  }
}

function text(value: unknown): string {
  return typeof value === 'string' && value.length <= 16_384
    ? value
    : fail('ProtocolError', 'A control message lacks a text');
}

export function count(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  return fail('ProtocolError', 'A control message lacks a number');
}

function countsOf(fields: Fields): Counts {
  return Object.fromEntries(
    Object.entries(fields)
      .slice(0, 64)
      .map(([kind, value]) => [kind, count(value)]),
  );
}

function oneOf<const T extends string>(value: unknown, known: readonly T[]): T {
  return (
    known.find((candidate) => candidate === value) ?? fail('ProtocolError', 'A control message has an unknown word')
  );
}
