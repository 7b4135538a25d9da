/**
 * The second half of an update: everything lies verified in staging, the gate is asked, the plan is carried out, everything is
 * read back. Needs nothing but staging and the volumes, so it is redone from its start after any crash; but never over what
 * somebody else wrote meanwhile, so each start asks the gate again and looks at the volumes.
 */
import { applyStaged } from './apply-staged.ts';
import type { MoverVolumeResult } from './contract.ts';
import type { KeyedDestination } from './destination-run.ts';
import { beginUpdate, endIncoming, keepMarked } from './incoming-marker.ts';
import type { ScanMemory } from './known-tree.ts';
import { fail } from './mover-error.ts';
import { assertUnwritten, writeLeaseMs } from './other-writers.ts';
import { beginPhase, bytesSentOf, sumSizes } from './phase-progress.ts';
import { forgetRunState, type RunState, type StagedVolume, volumeDirectory, writeRunState } from './run-state.ts';
import { Verdict } from './verdict.ts';
import { type AppliedVolume, verifyVolumes } from './verify-volume.ts';
import { volumeKeeper } from './volume-keeper.ts';

/** Renewals of a mark that may be late before its lease is over. */
const renewalsPerLease = 10;

/** @param scans of this very process, by volume; none after a restart */
export async function applyAndVerify(
  options: KeyedDestination,
  { stage, volumes }: Exclude<RunState, { readonly stage: 'Done' }>,
  scans: readonly ScanMemory[] = [],
): Promise<readonly MoverVolumeResult[]> {
  const { run, staging, signal, syscalls } = options;
  const total = sumSizes(volumes.map(({ tree }) => tree));
  beginPhase(options, 'Staged', { total, bytesSent: bytesSentOf(volumes) });
  const answer = await options.awaitGate(signal);
  if (answer.state === 'Refused') throw new Verdict('Refused', answer.reason);
  await assertStillOurs(options, stage, volumes);
  const rootTimes = volumes.map(({ before: { rootTime } }) => (rootTime === undefined ? undefined : BigInt(rootTime)));
  beginUpdate(options.volumes, { run, syscalls, rootTimes });
  writeRunState(staging.directory, { stage: 'Applying', run, volumes });
  const applied = await applyAll(options, volumes);
  const keeper = volumeKeeper(options);
  try {
    const results = await verifyVolumes(applied, options, { scans, keeper });
    writeRunState(staging.directory, { stage: 'Done', run, results });
    for (const spec of options.volumes) endIncoming(spec, { run, syscalls });
    keeper.keep();
    return results;
  } finally {
    keeper.drop();
  }
}

/** A plan that was made for something else is of no use: the next attempt looks at the volumes anew. */
async function assertStillOurs(
  options: KeyedDestination,
  stage: 'Staged' | 'Applying',
  volumes: readonly StagedVolume[],
): Promise<void> {
  try {
    await assertUnwritten(volumes, stage, options);
  } catch (error) {
    if (error instanceof Verdict) forgetRunState(options.staging.directory, options.run);
    throw error;
  }
}

async function applyAll(
  options: KeyedDestination,
  volumes: readonly StagedVolume[],
): Promise<readonly AppliedVolume[]> {
  const { run, staging, pool, key, signal, clock, syscalls } = options;
  const everyMs = (options.writeLeaseMs ?? writeLeaseMs) / renewalsPerLease;
  using _marks = keepMarked(options.volumes, { run, clock, everyMs, syscalls });
  const total = sumSizes(volumes.map(({ tree }) => tree));
  const onProgress = beginPhase(options, 'Applying', { total, bytesSent: bytesSentOf(volumes) });
  const planned = sumSizes(volumes.map((volume) => volume.planned));
  // What stays as it is counts as done.
  onProgress({ files: Math.max(0, total.files - planned.files), bytes: Math.max(0, total.bytes - planned.bytes) });
  const applied: AppliedVolume[] = [];
  for (const [index, volume] of volumes.entries()) {
    const spec = options.volumes[index] ?? fail('VolumesDiffer', `Volume ${volume.name} is not mounted`);
    const directory = volumeDirectory(staging.directory, run, index);
    applied.push({
      ...volume,
      ...(await applyStaged({ root: spec.path, directory, pool, key, signal, onProgress })),
    });
  }
  return applied;
}
