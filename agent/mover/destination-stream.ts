/**
 * The receiver's conversation on one stream: one loop listens, one asks for what is wanted, one says what has settled.
 * When the stream breaks, what was asked for and not answered is asked for again on the next one.
 */
import { decodeBundle } from './bundle-message.ts';
import { type Control, decodeControl, encodeControl, type Hello, protocolVersion } from './control-message.ts';
import type { DestinationRun, KeyedDestination } from './destination-run.ts';
import { type Frame, type FrameLink, frameTypes, LinkBroken } from './frame-link.ts';
import { decodeData, decodeItems, encodeSettled, encodeWants, wantsPerMessage } from './message.ts';
import { fail } from './mover-error.ts';
import { failureOf, greet, runTogether } from './session.ts';

interface Stream {
  readonly link: FrameLink;
  readonly run: DestinationRun;
  /** The last settled number said on this stream, and for which volume. */
  said: { volume: number; settled: number };
}

/** Returns when everything is received and safe; throws LinkBroken when another stream may go on. */
export async function converseAsDestination(run: DestinationRun, link: FrameLink, signal: AbortSignal): Promise<void> {
  const hello = await greet(link, helloOf(run));
  const names = run.options.volumes.map(({ name }) => name);
  if (hello.volumes.join('\n') !== names.join('\n')) {
    fail('VolumesDiffer', `The source sends volumes ${hello.volumes.join(', ')}, expected are ${names.join(', ')}`);
  }
  run.peer = hello.instance;
  run.total = { bytes: hello.totalBytes, files: hello.totalFiles };
  run.current?.volume.askAgain();
  const stream: Stream = { link, run, said: { volume: -1, settled: 0 } };
  await runTogether(link, signal, [() => listen(stream), repeat(stream, askNext), repeat(stream, saySettled)]);
}

/** Tells a sender that may still wait that everything is safe here; best effort. */
export async function tellConcluded(options: KeyedDestination, link: FrameLink): Promise<void> {
  const nothing = { options, peer: null, at: 0, current: undefined };
  await greet(link, { ...helloOf(nothing), concluded: true });
}

function helloOf({ options, peer, at, current }: Pick<DestinationRun, 'options' | 'peer' | 'at' | 'current'>): Hello {
  return {
    type: 'hello',
    protocol: protocolVersion,
    role: 'destination',
    run: options.run,
    instance: options.instance,
    peer,
    key: Buffer.from(options.key).toString('hex'),
    mode: options.mode,
    volumes: options.volumes.map(({ name }) => name),
    volume: at,
    ready: current !== undefined,
    concluded: false,
    received: current?.volume.received ?? 0,
    settled: current?.volume.settled ?? 0,
    totalBytes: 0,
    totalFiles: 0,
  };
}

/** Runs a step again and again; a step that had nothing to do waits for the next change. */
function repeat(stream: Stream, step: (stream: Stream) => Promise<'did' | 'idle'>) {
  const { changed } = stream.run;
  return async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const seen = changed.count;
      stream.run.check();
      if ((await step(stream)) === 'idle') await changed.wait(seen, signal);
    }
  };
}

async function listen(stream: Stream): Promise<void> {
  const { link, run } = stream;
  for (;;) {
    const before = link.bytesReceived;
    const frame = await link.receive();
    run.countReceived(link.bytesReceived - before);
    if ((await hear(stream, frame)) === 'over') return;
    run.noteProgress();
  }
}

async function hear(stream: Stream, frame: Frame): Promise<'over' | 'more'> {
  const { run } = stream;
  const current = () => run.current?.volume ?? fail('ProtocolError', 'Items without a volume');
  switch (frame.type) {
    case frameTypes.items: {
      const { first, items } = decodeItems(frame.payload);
      await current().arrive(first, items);
      run.report('Copying');
      return 'more';
    }
    case frameTypes.bundle:
      await current().arriveBundle(decodeBundle(frame.payload));
      run.report('Copying');
      return 'more';
    case frameTypes.data:
      await current().take(decodeData(frame.payload));
      return 'more';
    case frameTypes.control:
      return await hearControl(stream, decodeControl(frame.payload));
    default:
      return fail('ProtocolError', 'The sender sent what only a receiver sends');
  }
}

async function hearControl(stream: Stream, control: Control): Promise<'over' | 'more'> {
  const { run, link } = stream;
  const say = (answer: Control) => link.send(frameTypes.control, encodeControl(answer));
  switch (control.type) {
    case 'volumeStart': {
      const { pushAfter, base, whole } = await run.beginVolume(control);
      await say({ type: 'volumeReady', volume: control.volume, pushAfter, base, whole });
      return 'more';
    }
    case 'volumeEnd':
      await run.endVolume(control);
      await say({ type: 'volumeDone', volume: control.volume });
      return 'more';
    case 'finish':
      await run.conclude();
      await say({ type: 'finish' });
      await heardFinish(link);
      return 'over';
    case 'failure':
      throw failureOf(control.code, control.message);
    default:
      return fail('ProtocolError', 'The sender sent what only a receiver sends');
  }
}

/** Everything is safe here: whether the sender hears of it no longer matters to us. */
async function heardFinish(link: FrameLink): Promise<void> {
  try {
    await link.receive();
  } catch (error) {
    if (!(error instanceof LinkBroken)) throw error;
  }
}

async function askNext({ run, link }: Stream): Promise<'did' | 'idle'> {
  const wants = run.current?.volume.takeWants(wantsPerMessage) ?? [];
  if (wants.length === 0) return 'idle';
  await link.send(frameTypes.wants, ...encodeWants(wants));
  return 'did';
}

async function saySettled(stream: Stream): Promise<'did' | 'idle'> {
  const { run, link, said } = stream;
  const { at, current } = run;
  const settled = current?.volume.settled ?? 0;
  if (current === undefined || (said.volume === at && said.settled === settled)) return 'idle';
  stream.said = { volume: at, settled };
  await link.send(frameTypes.settled, ...encodeSettled(at, settled));
  return 'did';
}
