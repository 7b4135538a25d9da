/** For tests: a source that says hello like any other and then offers what it is told to. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { systemClock } from '../../../kube/clock.ts';
import { type BundleMessage, encodeBundle } from '../bundle-message.ts';
import { type Control, encodeControl, protocolVersion } from '../control-message.ts';
import type { Entry } from '../entry.ts';
import { createFrameLink, frameTypes } from '../frame-link.ts';
import { itemsEncoder, type WireItem } from '../message.ts';
import { copyVolume, memoryRelay, type Scratch } from './test-volumes.ts';

export const anEntry = (fields: Partial<Entry>): Entry => ({
  path: '',
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeNs: 0n,
  size: 0,
  target: '',
  rdev: 0n,
  xattrs: [],
  ...fields,
});

export interface Offering {
  /** What the destination, to be updated, holds already: files with their names as content. */
  readonly held?: readonly string[];
  /** What follows the items. */
  readonly bundle?: BundleMessage | undefined;
  readonly end?: Control | undefined;
}

/** Offers items, a bundle, an end to a destination; resolves with what the destination failed with. */
export async function offer(
  space: Scratch,
  entries: readonly (Entry | WireItem)[],
  { held = [], bundle, end }: Offering = {},
): Promise<unknown> {
  const relay = memoryRelay();
  const [to, from] = [space.path('to'), space.path('from')];
  mkdirSync(to);
  mkdirSync(from);
  for (const name of held) writeFileSync(`${to}/${name}`, name);
  const stop = new AbortController();
  const hostile = async () => {
    const link = createFrameLink(await relay.source(stop.signal), systemClock());
    const hello = {
      type: 'hello',
      protocol: protocolVersion,
      role: 'source',
      run: 'run-1',
      instance: 'evil',
      peer: null,
      key: null,
      mode: null,
    } as const;
    const none = { volume: 0, ready: false, concluded: false, received: 0, settled: 0, totalBytes: 0, totalFiles: 0 };
    await link.send(frameTypes.control, encodeControl({ ...hello, ...none, volumes: ['data'] }));
    const start = { type: 'volumeStart', volume: 0, name: 'data', kind: 'files', sizeBytes: 0 } as const;
    await link.send(frameTypes.control, encodeControl(start));
    const encoder = itemsEncoder();
    for (const entry of entries) encoder.add('is' in entry ? entry : { is: 'entry', entry, sparse: false });
    await link.send(frameTypes.items, ...encoder.finish(0));
    if (bundle !== undefined) await link.send(frameTypes.bundle, ...encodeBundle(bundle));
    if (end !== undefined) await link.send(frameTypes.control, encodeControl(end));
    for (;;) await link.receive();
  };
  const evil = hostile().catch(() => undefined);
  // The honest source of the copy never gets a stream.
  const connect = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const update = { mode: 'update', destination: { existing: 'Overwrite' } } as const;
  const how = held.length === 0 ? {} : update;
  const copying = copyVolume({ from, to, staging: space.path('staging'), relay, source: { connect }, ...how });
  const error = await copying.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  stop.abort(new Error('over'));
  await evil;
  return error;
}
