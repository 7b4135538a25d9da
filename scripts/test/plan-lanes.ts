/** Which end-to-end file runs in which lane: the same files always give the same lanes. Pure. */

/** A file's share of the whole; what is not listed counts as `usualSeconds`. */
export type Weights = Readonly<Record<string, number>>;

const usualSeconds = 60;

/**
 * The heaviest file goes to the lane that has least so far, then the next: no lane is longer than it must be by more than a
 * file. Within a lane they run in that order too, so that a lane ends on short ones.
 * @returns a list of files for each lane, in the order in which they run
 */
export function planLanes(
  files: readonly string[],
  laneCount: number,
  weights: Weights,
): readonly (readonly string[])[] {
  const weightOf = (file: string): number => weights[file] ?? usualSeconds;
  const lanes = Array.from({ length: laneCount }, () => ({ files: [] as string[], seconds: 0 }));
  const heaviestFirst = files.toSorted((a, b) => weightOf(b) - weightOf(a) || (a < b ? -1 : 1));
  for (const file of heaviestFirst) {
    const lightest = lanes.toSorted((a, b) => a.seconds - b.seconds)[0];
    if (lightest === undefined) break;
    lightest.files.push(file);
    lightest.seconds += weightOf(file);
  }
  return lanes.map((lane) => lane.files);
}

export interface Lane {
  /** Of the test bed that its files find in STORK_TESTBED_NUMBER. */
  readonly bed: number;
  readonly files: readonly string[];
}

const gibibyte = 2 ** 30;
/** A bed takes 3, databases in it and their volumes' cache as much again. The third is the one that testbed.test.ts has of its own. */
const bytesForThreeBeds = 14 * gibibyte;

/**
 * @param chosen the beds that were asked for, if any: as many lanes
 * @returns on a machine with little memory one lane with everything
 */
export function decideLanes(
  files: readonly string[],
  given: { readonly memoryBytes: number; readonly weights: Weights; readonly chosen?: readonly number[] | undefined },
): readonly Lane[] {
  const beds = given.chosen ?? (given.memoryBytes < bytesForThreeBeds ? [1] : [1, 2]);
  const lanes = planLanes(files, beds.length, given.weights);
  return lanes.map((own, index) => ({ bed: beds[index] ?? 1, files: own })).filter((lane) => lane.files.length > 0);
}
