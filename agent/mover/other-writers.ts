/**
 * Whether anybody but this run wrote to a volume: asked when a volume is met that an update may have begun on, and again right
 * before an update is applied. Nothing of it is written over then.
 */
import { isUntouchedBesidesPlan } from './besides-plan.ts';
import type { DestinationOptions, DestinationSpec, KeyedDestination } from './destination-run.ts';
import { digestVolume } from './digest-volume.ts';
import { findMark, type VolumeMark } from './incoming-marker.ts';
import type { OwnIndex } from './own-index.ts';
import { type StagedVolume, volumeDirectory } from './run-state.ts';
import { type Survey, surveyTree } from './survey.ts';
import { Verdict } from './verdict.ts';

/** A mover that was killed may have written this long after it last renewed its mark. */
export const writeLeaseMs = 20_000;

/**
 * A volume as it is met: it must hold its last complete point, unless the admin said that it doesn't matter, or an update of
 * this run was interrupted on it. Of a raw device that nobody can tell from itself; the agent knows which pods had it.
 * `Unproven`: an update was allowed, and neither the old point nor its mark is there. It is complete, if what the source sends is
 * what the volume holds ({@link assertComplete}): whoever was to tell that died with its node.
 */
export async function assertExpected(
  spec: DestinationSpec,
  own: OwnIndex,
  options: DestinationOptions,
): Promise<'Expected' | 'Unproven'> {
  if (options.existing === 'Overwrite' || own.tree.digest === spec.expectDigest) return 'Expected';
  if (options.existing === 'Redo') {
    if (spec.kind === 'block') return 'Expected';
    const mark = findMark(spec.path, options.syscalls);
    if (mark === undefined) return 'Unproven';
    if (mark.run === options.run && isOursAlone(await own.survey(), mark, options)) return 'Expected';
  }
  throw changedSince(spec);
}

/** Of an unproven volume, once all that the source has is known. */
export function assertComplete(spec: DestinationSpec, isEqual: boolean): void {
  if (!isEqual) throw changedSince(spec);
}

/** What the plan was made for must still be there, or what this run has made of it. */
export async function assertUnwritten(
  volumes: readonly StagedVolume[],
  stage: 'Staged' | 'Applying',
  options: KeyedDestination,
): Promise<void> {
  for (const [index, volume] of volumes.entries()) {
    const spec = options.volumes[index];
    if (spec === undefined) continue;
    const isUntouched =
      spec.kind === 'block'
        ? await isSameDevice({ spec, index }, volume, stage, options)
        : await isSameTree(spec, volume, options);
    if (!isUntouched) throw changed(spec, 'was written while its update was prepared or interrupted');
  }
}

async function isSameTree(spec: DestinationSpec, volume: StagedVolume, options: DestinationOptions): Promise<boolean> {
  const survey = await surveyTree(spec.path, options);
  const mark = findMark(spec.path, options.syscalls);
  if (mark?.run === options.run) return isOursAlone(survey, mark, options);
  return survey.fingerprint === volume.before.fingerprint;
}

async function isSameDevice(
  { spec, index }: { readonly spec: DestinationSpec; readonly index: number },
  volume: StagedVolume,
  stage: 'Staged' | 'Applying',
  { pool, key, syscalls, signal, staging, run }: KeyedDestination,
): Promise<boolean> {
  const { path, kind } = spec;
  const device = { key, root: path, kind, sizeBytes: volume.sizeBytes, pool, syscalls, signal };
  // Once it was written to, it is neither the old point nor the new one.
  if (stage === 'Applying') return isUntouchedBesidesPlan(volumeDirectory(staging.directory, run, index), device);
  const found = await digestVolume(device);
  return found.parts.content === volume.before.content;
}

function isOursAlone(survey: Survey, mark: VolumeMark, options: DestinationOptions): boolean {
  const leaseMs = options.writeLeaseMs ?? writeLeaseMs;
  return survey.newestChangeNs <= mark.renewedNs + BigInt(leaseMs) * 1_000_000n;
}

const changedSince = (spec: DestinationSpec): Verdict => changed(spec, 'was written since its last complete point');

const changed = (spec: DestinationSpec, what: string): Verdict =>
  new Verdict('DestinationChanged', `Volume ${spec.name} ${what}`);
