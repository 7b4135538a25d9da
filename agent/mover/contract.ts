/**
 * What a mover and its agent say to each other, as types and parsers: the paths of the agent's in-cluster HTTP/2 server
 * (port 9443), the progress report, the gate's answer and the result (the container's termination message).
 * Both sides import this file, so a field exists here or not at all. Bytes from outside pass a parser before use;
 * unknown fields are dropped, oversized or misshapen input throws StorkError `InvalidMoverMessage`.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { StorkError } from '../../kube/errors.ts';

export const moverContractVersion = 1;
/** Audience of the mover's projected ServiceAccount token; the agent's TokenReview asks for it. */
export const moverTokenAudience = 'stork-mover';
export const moverTokenFile = '/var/run/secrets/stork/token';
/** Environment variable with the PEM of the CA that signs the agent's 9443 certificate. Public. */
export const moverCaVariable = 'STORK_MOVER_CA';
export const moverResultFile = '/dev/termination-log';
/** Kubernetes keeps at most this much of a termination message. */
export const moverResultLimitBytes = 4096;
/** Of a result that was packed to fit. */
const unpackedResultLimitBytes = 64 * 1024;
export const moverReportLimitBytes = 16 * 1024;
export const moverReportIntervalMs = 2000;
/** Of what a mover knows of all its volumes together, and so of what an agent keeps of one. */
export const moverTreeLimitBytes = 192 * 1024 * 1024;

export const moverRoles = ['source', 'destination'] as const;
export type MoverRole = (typeof moverRoles)[number];
/** `fresh`: we provisioned the volume for this run; `update`: a volume that held our last complete point. */
export const moverModes = ['fresh', 'update'] as const;
export type MoverMode = (typeof moverModes)[number];
export const moverGates = ['apply'] as const;
export type MoverGate = (typeof moverGates)[number];

/** In the order they happen. A source never is `Staged` or `Applying`; a fresh destination neither. */
export const moverPhases = [
  'Connecting',
  'Scanning',
  'Copying',
  'Staged',
  'Applying',
  'Verifying',
  'Finished',
] as const;
export type MoverPhase = (typeof moverPhases)[number];

/** `POST /v1/runs/ID/report`, JSON, answered 204. At most one every `moverReportIntervalMs`; the newest wins. */
export interface MoverReport {
  readonly version: typeof moverContractVersion;
  readonly run: string;
  readonly role: MoverRole;
  readonly phase: MoverPhase;
  /** Bytes of the volumes dealt with in this phase: scanned, compared or copied, applied, verified. */
  readonly bytesDone: number;
  /** The same unit; 0 while unknown. */
  readonly bytesTotal: number;
  /** Bytes that crossed the stream in the direction source → destination, frames and compression included. */
  readonly bytesSent: number;
  readonly filesDone: number;
  readonly filesTotal: number;
  /** One sentence when something is worth saying, e.g. why the stream is being re-opened. */
  readonly message?: string | undefined;
  /** Of a source: each volume it has begun; the first {@link reportedVolumes} of them. */
  readonly volumes?: readonly MoverVolumeProgress[] | undefined;
}

export interface MoverVolumeProgress {
  readonly name: string;
  readonly bytesRead: number;
  readonly bytesSent: number;
}

/** As many as fit into a report for certain. */
export const reportedVolumes = 32;

/**
 * `POST /v1/runs/ID/gate/apply` with JSON `{}`: 200 Go, 202 Wait (ask again after `retryAfterMs`), 409 Refused with `reason`.
 * The body is this object in each case; any other status is an error of the transport and is retried.
 */
export type GateAnswer =
  | { readonly state: 'Go' }
  | { readonly state: 'Wait'; readonly retryAfterMs: number }
  | { readonly state: 'Refused'; readonly reason: string };

/**
 * `Complete`: verified. `DestinationChanged`: the volume isn't what `--expect-digest` says, nothing touched.
 * `NeedsScratch`: staging is smaller than `scratchBytes`, nothing touched. `Refused`: the gate said no, nothing touched.
 * `Failed`: see code and message.
 */
export const moverOutcomes = ['Complete', 'DestinationChanged', 'NeedsScratch', 'Refused', 'Failed'] as const;
export type MoverOutcome = (typeof moverOutcomes)[number];

export type Counts = Readonly<Record<string, number>>;

export interface MoverVolumeResult {
  readonly name: string;
  /** `tree2:<hex>` over the whole tree (docs/design/0002-mover-protocol.md); the source's and the destination's are equal when Complete. */
  readonly digest: string;
  /**
   * Where some of what the source sent could not be set (`degraded`) and all else was proven to be equal: {@link shortDigest} of
   * what it sent. Short, because all of a result must fit into a termination message.
   */
  readonly sent?: string | undefined;
  readonly files: number;
  /** Sum of file sizes, holes included. */
  readonly bytes: number;
  readonly bytesRead: number;
  /** What crossed the wire for this volume, source → destination, compressed. */
  readonly bytesSent: number;
  /** 16 KiB blocks that crossed the wire. */
  readonly blocksSent: number;
  /** What happened under the copy, by kind: `changed`, `grew`, `shrank`, `vanished`, `unreadable`. Not empty on a live copy only. */
  readonly warnings: Counts;
  /** What could not be set on the destination, by kind: `xattr`, `owner`, `mode`, `device`, `mtime`. Not empty → PartialSuccess. */
  readonly degraded: Counts;
}

export interface MoverResult {
  readonly version: typeof moverContractVersion;
  readonly run: string;
  readonly role: MoverRole;
  readonly outcome: MoverOutcome;
  /** CamelCase reason, equals `outcome` when there is nothing more exact. */
  readonly code: string;
  readonly message: string;
  /** Whether another attempt may help without anybody changing anything; then the container exits 1 and the kubelet restarts it. */
  readonly retryable: boolean;
  /** With `NeedsScratch`: how much free space staging must have. */
  readonly scratchBytes?: number | undefined;
  readonly volumes: readonly MoverVolumeResult[];
}

export const moverPaths = {
  stream: (run: string, role: MoverRole) => `/v1/runs/${encodeURIComponent(run)}/stream?role=${role}`,
  report: (run: string) => `/v1/runs/${encodeURIComponent(run)}/report`,
  /**
   * What the last sync left known of a volume: GET answers 200 with the file, or 404; PUT replaces it, answered 204. Which file
   * it is follows from what the agent knows of the run, not from the request.
   */
  tree: (run: string, role: MoverRole, volume: string) =>
    `/v1/runs/${encodeURIComponent(run)}/tree?role=${role}&volume=${encodeURIComponent(volume)}`,
  gate: (run: string, gate: MoverGate) => `/v1/runs/${encodeURIComponent(run)}/gate/${gate}`,
} as const;

/**
 * 0: the result is final, good or bad; the pod stays Completed and its termination message is the answer.
 * 1: worth another attempt; the message is then in the pod's `lastState.terminated`, and the Job's backoffLimit bounds the attempts.
 */
export const moverExitCode = (result: MoverResult): 0 | 1 => (result.retryable ? 1 : 0);

export function parseMoverReport(bytes: Uint8Array | string): MoverReport {
  const read = readFields('report', bytes, moverReportLimitBytes);
  return {
    version: readVersion(read),
    run: read.text('run', 253),
    role: read.oneOf('role', moverRoles),
    phase: read.oneOf('phase', moverPhases),
    bytesDone: read.count('bytesDone'),
    bytesTotal: read.count('bytesTotal'),
    bytesSent: read.count('bytesSent'),
    filesDone: read.count('filesDone'),
    filesTotal: read.count('filesTotal'),
    message: read.optionalText('message', 1024),
    volumes: read.has('volumes') ? read.list('volumes', reportedVolumes).map(parseVolumeProgress) : undefined,
  };
}

function parseVolumeProgress(value: unknown): MoverVolumeProgress {
  const read = fieldsOf('report.volumes[]', value);
  return { name: read.text('name', 253), bytesRead: read.count('bytesRead'), bytesSent: read.count('bytesSent') };
}

export function parseGateAnswer(bytes: Uint8Array | string): GateAnswer {
  const read = readFields('gate answer', bytes, moverReportLimitBytes);
  const state = read.oneOf('state', ['Go', 'Wait', 'Refused'] as const);
  switch (state) {
    case 'Go':
      return { state };
    case 'Wait':
      return { state, retryAfterMs: read.count('retryAfterMs') };
    case 'Refused':
      return { state, reason: read.text('reason', 2048) };
    default:
      return state satisfies never;
  }
}

export function parseMoverResult(bytes: Uint8Array | string): MoverResult {
  const text = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8');
  if (Buffer.byteLength(text) > moverResultLimitBytes)
    throw invalid('result', `is more than ${moverResultLimitBytes} bytes`);
  const read = readFields('result', unpack(text), unpackedResultLimitBytes);
  return {
    version: readVersion(read),
    run: read.text('run', 253),
    role: read.oneOf('role', moverRoles),
    outcome: read.oneOf('outcome', moverOutcomes),
    code: read.text('code', 64),
    message: read.text('message', 2048),
    retryable: read.flag('retryable'),
    scratchBytes: read.has('scratchBytes') ? read.count('scratchBytes') : undefined,
    volumes: read.list('volumes', 256).map(parseVolume),
  };
}

/**
 * Serializes a result within `moverResultLimitBytes`: the message is cut first, then all is packed, then per-volume counts of
 * kinds are dropped (their sums stay under `other`), so that what decides (outcome, code, digests) fits for 30 volumes.
 */
export function renderMoverResult(result: MoverResult): string {
  const short = { ...result, message: cut(result.message, 512) };
  const summed = {
    ...short,
    message: cut(short.message, 128),
    volumes: short.volumes.map((volume) => ({
      ...volume,
      warnings: sumCounts(volume.warnings),
      degraded: sumCounts(volume.degraded),
    })),
  };
  const ways = [() => JSON.stringify(result), () => JSON.stringify(short), () => pack(short), () => pack(summed)];
  for (const render of ways) {
    const text = render();
    if (Buffer.byteLength(text) <= moverResultLimitBytes) return text;
  }
  return JSON.stringify({ ...summed, volumes: [], ...tooMany(result.volumes.length) });
}

const packedMark = 'deflate,';
const pack = (result: MoverResult): string =>
  packedMark + deflateRawSync(JSON.stringify(result), { level: 9 }).toString('base64');

function unpack(text: string): string {
  if (!text.startsWith(packedMark)) return text;
  try {
    const packed = Buffer.from(text.slice(packedMark.length), 'base64');
    return inflateRawSync(packed, { maxOutputLength: unpackedResultLimitBytes }).toString('utf8');
  } catch (cause) {
    throw invalid('result', 'is not packed as it says', cause);
  }
}

/** Never told as done: without its digests nobody can say what the volumes hold. */
const tooMany = (count: number) => ({
  outcome: 'Failed' as const,
  code: 'TooManyVolumes',
  retryable: false,
  message: `What became of ${count} volumes does not fit into the result of one mover; use them by fewer volumes a pod`,
});

/** The first 64 bits, to compare with what somebody honest says. */
export const shortDigest = (digest: string): string => digest.slice(digest.indexOf(':') + 1).slice(0, 16);

const cut = (text: string, limit: number) => (text.length <= limit ? text : `${text.slice(0, limit - 1)}…`);

function sumCounts(counts: Counts): Counts {
  const sum = Object.values(counts).reduce((total, count) => total + count, 0);
  return sum === 0 ? {} : { other: sum };
}

function parseVolume(value: unknown): MoverVolumeResult {
  const read = fieldsOf('result.volumes[]', value);
  return {
    name: read.text('name', 253),
    digest: read.text('digest', 80),
    sent: read.optionalText('sent', 16),
    files: read.count('files'),
    bytes: read.count('bytes'),
    bytesRead: read.count('bytesRead'),
    bytesSent: read.count('bytesSent'),
    blocksSent: read.count('blocksSent'),
    warnings: read.counts('warnings'),
    degraded: read.counts('degraded'),
  };
}

interface FieldReader {
  has(field: string): boolean;
  text(field: string, limit: number): string;
  optionalText(field: string, limit: number): string | undefined;
  count(field: string): number;
  flag(field: string): boolean;
  counts(field: string): Counts;
  oneOf<const T extends string>(field: string, values: readonly T[]): T;
  list(field: string, limit: number): readonly unknown[];
}

function readFields(what: string, bytes: Uint8Array | string, limitBytes: number): FieldReader {
  const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.byteLength;
  if (size > limitBytes) throw invalid(what, `is ${size} bytes, more than ${limitBytes}`);
  const text = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8');
  try {
    return fieldsOf(what, JSON.parse(text));
  } catch (cause) {
    if (cause instanceof StorkError) throw cause;
    throw invalid(what, 'is not JSON', cause);
  }
}

function readVersion(read: FieldReader): typeof moverContractVersion {
  const version = read.count('version');
  if (version !== moverContractVersion) throw invalid('version', `${version} is not ${moverContractVersion}`);
  return moverContractVersion;
}

function fieldsOf(what: string, value: unknown): FieldReader {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(what, 'is not an object');
  const fields = new Map<string, unknown>(Object.entries(value));
  const text = (field: string, limit: number) => {
    const found = fields.get(field);
    if (typeof found === 'string' && found.length <= limit) return found;
    throw invalid(`${what}.${field}`, `is not a text of at most ${limit} characters`);
  };
  const asCount = (found: unknown, field: string) => {
    if (typeof found === 'number' && Number.isSafeInteger(found) && found >= 0) return found;
    throw invalid(`${what}.${field}`, 'is not a whole number ≥ 0');
  };
  return {
    has: (field) => fields.get(field) !== undefined,
    text,
    optionalText: (field, limit) => (fields.get(field) === undefined ? undefined : text(field, limit)),
    count: (field) => asCount(fields.get(field), field),
    flag(field) {
      const found = fields.get(field);
      if (typeof found === 'boolean') return found;
      throw invalid(`${what}.${field}`, 'is neither true nor false');
    },
    counts(field) {
      const found = fields.get(field);
      if (typeof found !== 'object' || found === null) throw invalid(`${what}.${field}`, 'is not an object');
      const entries = Object.entries(found).slice(0, 64);
      return Object.fromEntries(entries.map(([kind, count]) => [kind, asCount(count, `${field}.${kind}`)]));
    },
    oneOf(field, values) {
      const found = values.find((candidate) => candidate === fields.get(field));
      if (found === undefined) throw invalid(`${what}.${field}`, `is none of ${values.join(', ')}`);
      return found;
    },
    list(field, limit) {
      const found = fields.get(field);
      if (Array.isArray(found) && found.length <= limit) return found;
      throw invalid(`${what}.${field}`, `is not a list of at most ${limit}`);
    },
  };
}

function invalid(about: string, problem: string, cause?: unknown): StorkError {
  return new StorkError({ code: 'InvalidMoverMessage', message: `Mover message: ${about} ${problem}`, about, cause });
}
