/**
 * The sender's conversation on one stream: one loop listens, one offers items in order, one for each worker answers wants.
 * When the stream breaks, what was not settled is offered again on the next one.
 */

import { encodeBundle } from './bundle-message.ts';
import { type RunKey, runKeyBytes } from './content-hash.ts';
import {
  type Control,
  decodeControl,
  encodeControl,
  type Hello,
  protocolVersion,
  type VolumeReady,
} from './control-message.ts';
import { type Frame, type FrameLink, frameTypes } from './frame-link.ts';
import { segmentLength } from './layout.ts';
import {
  type DataMessage,
  decodeSettled,
  decodeWants,
  encodeData,
  itemsEncoder,
  itemsTargetBytes,
  type Want,
} from './message.ts';
import { fail } from './mover-error.ts';
import { packLimitBytes } from './pack-codec.ts';
import type { Pushing } from './remembered-scan.ts';
import type { SegmentPlace } from './scan-units.ts';
import { failureOf, greet, runTogether } from './session.ts';
import type { SourceRun } from './source-run.ts';
import type { SourceVolume } from './source-volume.ts';
import { walkDevice } from './walk.ts';

interface Stream {
  readonly link: FrameLink;
  readonly run: SourceRun;
  readonly wants: Want[];
  /** The receiver takes items of the current volume. */
  ready: boolean;
  /** Next item to offer on this stream. */
  cursor: number;
  /** What was said on this stream already: the start of which volume, the end of which, the end of the run. */
  started: number;
  ended: number;
  finished: boolean;
  counted: number;
}

const wantsPerPack = 128;
const openWantsLimit = 32_768;

/** Returns when the receiver has everything; throws LinkBroken when another stream may go on. */
export async function converseAsSource(run: SourceRun, link: FrameLink, signal: AbortSignal): Promise<void> {
  const hello = await greet(link, helloOf(run));
  if (hello.concluded) return;
  run.peer = hello.instance;
  run.key = keyOf(hello);
  // The receiver got further than it could tell us.
  if (hello.volume > run.at) run.finishVolume();
  if (hello.volume !== run.at) fail('ProtocolError', 'The peer is at a volume that it cannot be at');
  const { volume } = run;
  volume?.settle(Math.max(hello.settled, volume.settled));
  const resumes = hello.ready && run.isScanning;
  const stream: Stream = {
    link,
    run,
    wants: [],
    ready: resumes,
    cursor: resumes ? hello.received : 0,
    started: -1,
    ended: -1,
    finished: false,
    counted: 0,
  };
  const servers = Array.from({ length: run.options.pool.workers }, () => repeat(stream, serveWants));
  await runTogether(link, signal, [(stop) => listen(stream, stop), repeat(stream, offerNext), ...servers]);
  run.report('Finished');
}

/** An engine keeps its key: what was scanned before a stream broke stays comparable. */
function keyOf({ key }: Hello): RunKey {
  const bytes = Buffer.from(key ?? '', 'hex');
  return bytes.length === runKeyBytes ? bytes : fail('ProtocolError', 'The peer said no key');
}

function helloOf({ options, peer, at, total }: SourceRun): Hello {
  return {
    type: 'hello',
    protocol: protocolVersion,
    role: 'source',
    run: options.run,
    instance: options.instance,
    peer,
    key: null,
    mode: null,
    volumes: options.volumes.map(({ name }) => name),
    volume: at,
    ready: false,
    concluded: false,
    received: 0,
    settled: 0,
    totalBytes: total.bytes,
    totalFiles: total.files,
  };
}

/** Runs a step again and again; a step that had nothing to do waits for the next change. */
function repeat(stream: Stream, step: (stream: Stream, signal: AbortSignal) => Promise<'did' | 'idle'>) {
  const { changed } = stream.run;
  return async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const seen = changed.count;
      stream.run.checkScan();
      if ((await step(stream, signal)) === 'idle') await changed.wait(seen, signal);
      stream.run.countSent(stream.link.bytesSent - stream.counted);
      stream.counted = stream.link.bytesSent;
    }
  };
}

async function listen(stream: Stream, signal: AbortSignal): Promise<void> {
  for (;;) {
    const frame = await stream.link.receive();
    signal.throwIfAborted();
    if (hear(stream, frame) === 'over') {
      // Heard: the receiver waits for this before it lets go of the stream.
      await stream.link.send(frameTypes.control, encodeControl({ type: 'finish' }));
      return;
    }
    stream.run.noteProgress();
  }
}

function hear(stream: Stream, frame: Frame): 'over' | 'more' {
  const { run } = stream;
  switch (frame.type) {
    case frameTypes.wants:
      stream.wants.push(...decodeWants(frame.payload));
      if (stream.wants.length > openWantsLimit) fail('ProtocolError', 'The peer wants more than was offered');
      return 'more';
    case frameTypes.settled: {
      const { volume, settled } = decodeSettled(frame.payload);
      if (volume === run.at) run.volume?.settle(settled);
      run.report('Copying');
      return 'more';
    }
    case frameTypes.control:
      return hearControl(stream, decodeControl(frame.payload));
    default:
      return fail('ProtocolError', 'The receiver sent what only a sender sends');
  }
}

function hearControl(stream: Stream, control: Control): 'over' | 'more' {
  const { run } = stream;
  switch (control.type) {
    case 'volumeReady':
      if (control.volume !== run.at) fail('ProtocolError', 'The peer is ready for another volume');
      stream.ready = true;
      run.startScan(pushingOf(control));
      return 'more';
    case 'volumeDone':
      if (control.volume !== run.at || stream.ended !== run.at)
        fail('ProtocolError', 'The peer finished a volume too early');
      run.finishVolume();
      stream.ready = false;
      stream.cursor = 0;
      return 'more';
    case 'finish':
      if (run.volume !== undefined) fail('ProtocolError', 'The peer finished before the last volume');
      return 'over';
    case 'failure':
      throw failureOf(control.code, control.message);
    default:
      return fail('ProtocolError', 'The receiver sent what only a sender sends');
  }
}

const pushingOf = ({ pushAfter, base, whole }: VolumeReady): Pushing => ({
  packAfter: pushAfter ?? undefined,
  base: base ?? undefined,
  whole: whole ?? undefined,
});

async function offerNext(stream: Stream): Promise<'did' | 'idle'> {
  const { run, link } = stream;
  const { volume } = run;
  const say = (control: Control) => link.send(frameTypes.control, encodeControl(control));
  if (volume === undefined) {
    if (stream.finished) return 'idle';
    stream.finished = true;
    run.report('Verifying');
    await say({ type: 'finish' });
    return 'did';
  }
  if (!stream.ready) {
    if (stream.started === run.at) return 'idle';
    stream.started = run.at;
    const { name, kind, path } = volume.spec;
    const sizeBytes = kind === 'block' ? walkDevice(path, run.options.syscalls, undefined).entry.size : 0;
    await say({ type: 'volumeStart', volume: run.at, name, kind, sizeBytes });
    return 'did';
  }
  if (stream.cursor < volume.produced) {
    if (volume.isBundle(stream.cursor)) await offerBundle(stream, volume);
    else await offerItems(stream, volume);
    return 'did';
  }
  if (!volume.scanned || volume.settled < volume.produced || stream.ended === run.at) return 'idle';
  stream.ended = run.at;
  const { warnings } = volume.counts;
  await say({ type: 'volumeEnd', volume: run.at, items: volume.produced, tree: volume.finish(), warnings });
  return 'did';
}

async function offerItems(stream: Stream, volume: SourceVolume): Promise<void> {
  const encoder = itemsEncoder();
  const first = stream.cursor;
  let pack: DataMessage | undefined;
  const isOffered = () => stream.cursor < volume.produced && !volume.isBundle(stream.cursor);
  while (isOffered() && encoder.length < itemsTargetBytes && pack === undefined) {
    encoder.add(volume.itemAt(stream.cursor));
    pack = volume.takePack(stream.cursor);
    stream.cursor++;
  }
  await stream.link.send(frameTypes.items, ...encoder.finish(first));
  if (pack === undefined) return;
  for (const { item, hash, states } of pack.parts) volume.noteSent(item, hash, states);
  await stream.link.send(frameTypes.data, ...encodeData(pack));
}

async function offerBundle(stream: Stream, volume: SourceVolume): Promise<void> {
  const { link, run } = stream;
  const item = stream.cursor;
  const bundle = volume.takeBundle(item) ?? (await readAgain(run, volume, item));
  stream.cursor++;
  await link.send(frameTypes.bundle, ...encodeBundle({ item, ...bundle }));
}

/** Its contents went with a stream that broke. */
async function readAgain(run: SourceRun, volume: SourceVolume, item: number) {
  const answer = await run.options.pool.run(volume.bundleJob(item), run.options.signal);
  volume.noteRead(answer);
  const pack = answer.pack ?? fail('MoverFault', 'A bundle without contents');
  return { run: volume.replaceBundle(item, answer), pack };
}

async function serveWants(stream: Stream): Promise<'did' | 'idle'> {
  const { run } = stream;
  const { volume } = run;
  if (volume === undefined || stream.wants.length === 0) return 'idle';
  const wants = takeWants(stream.wants, volume);
  const root = volume.spec.path;
  const key = run.key ?? fail('ProtocolError', 'The peer wants content before its greeting');
  const answer = await run.options.pool.run({ do: 'pack', key, root, wants }, run.options.signal);
  volume.noteRead(answer);
  const parts = answer.pack.parts.map(({ at, ...part }) => {
    const item = wants[at]?.item ?? fail('MoverFault', 'A pack names an unknown want');
    volume.noteSent(item, part.hash, part.states);
    return { item, ...part };
  });
  const payloadLength = answer.pack.payload.length;
  const payload = wants[0]?.countOnly === true ? new Uint8Array(0) : answer.pack.payload;
  await stream.link.send(frameTypes.data, ...encodeData({ ...answer.pack, payload, payloadLength, parts }));
  return 'did';
}

interface PlacedWant extends Want {
  readonly place: SegmentPlace;
}

/** As many wants as one pack holds. */
function takeWants(wants: Want[], volume: SourceVolume): readonly PlacedWant[] {
  const taken: PlacedWant[] = [];
  let bytes = 0;
  for (let want = wants[0]; want !== undefined && taken.length < wantsPerPack; want = wants[0]) {
    const place = volume.placeOf(want.item);
    bytes += segmentLength(place.size, place.segment);
    if (taken.length > 0 && (bytes > packLimitBytes || want.countOnly !== taken[0]?.countOnly)) break;
    taken.push({ ...want, place });
    wants.shift();
  }
  return taken;
}
