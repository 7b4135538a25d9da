/**
 * A mover as its contract describes it (agent/mover/contract.ts, docs/design/0002): one process of it, which may be killed at any
 * instant, over what outlives it: volumes, the staging area of its pod, the other mover. Contents are a few blocks with
 * commas between them, so that half of one and half of another can be told from either.
 */
import { aResult, digestOf } from '../../agent/migration/testing/two-clusters.ts';
import type { GateAnswer, MoverMode, MoverPhase, MoverResult, MoverRole } from '../../agent/mover/contract.ts';
import { StorkError } from '../../kube/errors.ts';
import type { Chance } from './chance.ts';
import type { Life } from './life.ts';

export interface MoverVolume {
  readonly name: string;
  readonly claim: string;
  readonly expectDigest: string | undefined;
}

export interface MoverOrder {
  readonly run: string;
  readonly role: MoverRole;
  readonly mode: MoverMode;
  readonly volumes: readonly MoverVolume[];
  readonly existing: 'Refuse' | 'Overwrite' | 'Redo';
}

/** What a destination has staged, by volume name; as durable as where it lies. */
export interface Staging {
  readonly limitBytes: number;
  state: 'Receiving' | 'Staged' | 'Applying' | 'Done';
  readonly content: Map<string, string>;
}

/** The two movers of a run and the stream between them, as far as both are there. */
export interface Meeting {
  source:
    | { readonly life: Life; readonly startedAtMs: number; readonly content: ReadonlyMap<string, string> }
    | undefined;
  /** Whether the agent of each lets the run's mover in. */
  readonly isOpen: Map<MoverRole, () => boolean>;
  sent: 'Yes' | 'No';
  /** Told by a destination that must not be waited for. */
  failure: string | undefined;
}

export interface MoverHost {
  readonly life: Life;
  readonly chance: Chance;
  readonly meeting: Meeting;
  readonly staging: Staging;
  read(claim: string): string | undefined;
  /** Throws when the volume is not there. */
  write(claim: string, content: string): Promise<void>;
  /** The run whose update of the volume has begun and is not verified: a mark that lies in the volume itself. */
  markOf(claim: string): string | undefined;
  setMark(claim: string, run: string | undefined): void;
  /** A value that stays the same while the stream does; `undefined` while there is none. */
  stream(): string | undefined;
  nowMs(): number;
  report(phase: MoverPhase): void;
  /** @throws StorkError when the agent can't be reached */
  askGate(): Promise<GateAnswer>;
}

const marker = (run: string): string => `~${run}|`;
/** Content of a new volume that is not complete. */
export const isIncoming = (content: string): boolean => content.startsWith('~');

/** How long a mover waits for the other one before it gives up and is started again. */
const patienceMs = 30 * 60_000;

export async function runMover(order: MoverOrder, host: MoverHost): Promise<MoverResult> {
  try {
    host.report('Connecting');
    if (order.role === 'destination') {
      host.meeting.failure = undefined;
      host.meeting.sent = host.staging.state === 'Receiving' ? 'No' : 'Yes';
    }
    if (order.role === 'source') return await send(order, host);
    return order.mode === 'fresh' ? await fill(order, host) : await update(order, host);
  } catch (error) {
    host.life.mustLast();
    if (!(error instanceof StorkError)) throw error;
    if (order.role === 'destination' && !error.retryable) tellOther(host, error.code);
    return failed(order, error);
  }
}

async function send(order: MoverOrder, host: MoverHost): Promise<MoverResult> {
  const content = new Map(order.volumes.map(({ name, claim }) => [name, readVolume(host, claim)]));
  host.meeting.source = { life: host.life, startedAtMs: host.nowMs(), content };
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += 500) {
    await host.life.pause(500);
    if (host.meeting.failure !== undefined)
      throw final('PeerFailed', `The other mover failed: ${host.meeting.failure}`);
    if (host.stream() !== undefined) host.report('Copying');
    if (host.meeting.sent === 'No' || host.stream() === undefined) continue;
    host.report('Finished');
    return complete(order, content);
  }
  throw new StorkError({ code: 'PeerUnreachable', message: 'No other mover came', retryable: true });
}

async function fill(order: MoverOrder, host: MoverHost): Promise<MoverResult> {
  const { run, volumes } = order;
  if (host.staging.state !== 'Done') {
    const unproven = new Set<string>();
    for (const { claim, name } of volumes) {
      const found = readVolume(host, claim);
      if (found === '' || found.startsWith(marker(run)) || order.existing === 'Overwrite') continue;
      if (isIncoming(found)) throw notEmpty(name);
      unproven.add(name);
    }
    const content = await receive(order, host, async ({ claim, name }, blocks) => {
      // Complete before its mover was lost: then it holds what is sent, block by block.
      if (!unproven.has(name)) return host.write(claim, marker(run) + blocks.join(','));
      const held = readVolume(host, claim).split(',').slice(0, blocks.length);
      if (held.join(',') !== blocks.join(',')) throw notEmpty(name);
    });
    for (const { claim, name } of volumes)
      if (unproven.has(name) && readVolume(host, claim) !== content.get(name)) throw notEmpty(name);
    host.report('Verifying');
    await host.life.pause(host.chance.between(10, 500));
    for (const [name, text] of content) host.staging.content.set(name, text);
    host.staging.state = 'Done';
    await host.life.pause(host.chance.between(1, 20));
  }
  host.meeting.sent = 'Yes';
  for (const { name, claim } of volumes) await host.write(claim, host.staging.content.get(name) ?? '');
  return complete(order, host.staging.content);
}

async function update(order: MoverOrder, host: MoverHost): Promise<MoverResult> {
  const { staging } = host;
  host.report('Scanning');
  if (staging.state === 'Receiving') {
    const unexpected = order.volumes.filter((volume) => !isExpected(order, volume, host));
    const changed = unexpected.find(({ claim }) => order.existing !== 'Redo' || host.markOf(claim) !== undefined);
    if (changed !== undefined) return written(changed, order, host);
    const content = await receive(order, host, async () => {});
    // An update that was complete when its mover was lost holds what is sent.
    const other = unexpected.find(({ name, claim }) => readVolume(host, claim) !== content.get(name));
    if (other !== undefined) return written(other, order, host);
    const bytes = [...content.values()].join('').length;
    if (bytes > staging.limitBytes)
      return { ...verdict(order, 'NeedsScratch', 'Staging is too small'), scratchBytes: bytes };
    for (const [name, text] of content) staging.content.set(name, text);
    staging.state = 'Staged';
    await host.life.pause(host.chance.between(1, 20));
  }
  host.meeting.sent = 'Yes';
  if (staging.state !== 'Done') {
    host.report('Staged');
    // After each restart anew: somebody may have had the volume meanwhile.
    const answer = await awaitGate(host);
    if (answer.state === 'Refused') return verdict(order, 'Refused', answer.reason);
    for (const { claim } of order.volumes) host.setMark(claim, order.run);
    staging.state = 'Applying';
    await apply(order, host);
  }
  for (const { claim } of order.volumes) host.setMark(claim, undefined);
  return complete(order, staging.content);
}

function written({ name }: MoverVolume, order: MoverOrder, host: MoverHost): MoverResult {
  tellOther(host, 'DestinationChanged');
  return verdict(order, 'DestinationChanged', `Volume ${name} was written since its last complete point`);
}

function isExpected(order: MoverOrder, { claim, expectDigest }: MoverVolume, host: MoverHost): boolean {
  if (order.existing === 'Overwrite') return true;
  if (order.existing === 'Redo' && host.markOf(claim) === order.run) return true;
  return digestOf(readVolume(host, claim)) === expectDigest;
}

/** Block by block, from the start after each crash. */
async function apply(order: MoverOrder, host: MoverHost): Promise<void> {
  host.report('Applying');
  for (const { name, claim } of order.volumes) {
    const wanted = (host.staging.content.get(name) ?? '').split(',');
    for (const [at, block] of wanted.entries()) {
      const now = readVolume(host, claim).split(',').slice(0, wanted.length);
      now[at] = block;
      await host.write(claim, now.join(','));
      await host.life.pause(host.chance.between(1, 400));
    }
  }
  host.report('Verifying');
  await host.life.pause(host.chance.between(1, 200));
  for (const { name, claim } of order.volumes)
    if (readVolume(host, claim) !== host.staging.content.get(name))
      throw final('DigestMismatch', `Volume ${name} does not hold what was staged`);
  host.staging.state = 'Done';
}

async function awaitGate(host: MoverHost): Promise<Exclude<GateAnswer, { readonly state: 'Wait' }>> {
  for (;;) {
    await host.life.pause(host.chance.between(1, 200));
    const answer = await host.askGate().catch((error: unknown) => {
      if (error instanceof StorkError) return undefined;
      throw error;
    });
    if (answer !== undefined && answer.state !== 'Wait') return answer;
    await host.life.pause(answer?.retryAfterMs ?? 1000);
  }
}

/** All volumes, over as many streams as it takes; a stream that breaks costs time only. */
async function receive(
  order: MoverOrder,
  host: MoverHost,
  keep: (volume: MoverVolume, blocks: readonly string[]) => Promise<void>,
): Promise<ReadonlyMap<string, string>> {
  const received = new Map<string, string>();
  for (const volume of order.volumes) {
    const blocks: string[] = [];
    for (let waitedMs = 0; ; ) {
      const stream = host.stream();
      const content = stream === undefined ? undefined : host.meeting.source?.content.get(volume.name);
      if (content === undefined) {
        if (waitedMs > patienceMs)
          throw new StorkError({ code: 'PeerUnreachable', message: 'No other mover came', retryable: true });
        waitedMs += 500;
        await host.life.pause(500);
        continue;
      }
      host.report('Copying');
      const wanted = content.split(',');
      if (blocks.length === wanted.length) break;
      await host.life.pause(host.chance.between(5, 800));
      if (host.stream() !== stream) continue;
      blocks.push(wanted[blocks.length] ?? '');
      await keep(volume, blocks);
    }
    received.set(volume.name, blocks.join(','));
  }
  return received;
}

function readVolume(host: MoverHost, claim: string): string {
  const content = host.read(claim);
  if (content === undefined) throw final('VolumeUnreadable', `The volume of ${claim} is not there`);
  return content;
}

function tellOther(host: MoverHost, failure: string): void {
  if (host.stream() !== undefined) host.meeting.failure = failure;
}

const notEmpty = (name: string) =>
  final('DestinationNotEmpty', `Volume ${name} should be new but holds files that we did not write`);

const final = (code: string, message: string) => new StorkError({ code, message });

function complete(order: MoverOrder, content: ReadonlyMap<string, string>): MoverResult {
  const volumes = order.volumes.map(({ name }) => ({ name, content: content.get(name) ?? '' }));
  return { ...aResult(order.run, 'Complete', volumes), role: order.role };
}

const verdict = (order: MoverOrder, outcome: MoverResult['outcome'], message: string): MoverResult => ({
  ...aResult(order.run, outcome, []),
  role: order.role,
  message,
});

const failed = (order: MoverOrder, { code, message, retryable }: StorkError): MoverResult => ({
  ...verdict(order, 'Failed', message),
  code,
  retryable,
});
