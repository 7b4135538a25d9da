/** Runs plans one after the other and tells of each that went wrong how to see it again. */
import { describePlan } from './plan-run.ts';
import { type RunPlan, run } from './run.ts';

export interface PlansReport {
  readonly runs: number;
  /** One text for each run that went wrong. */
  readonly failures: readonly string[];
  /** By how they ended. */
  readonly endings: Readonly<Record<string, number>>;
}

export async function runPlans(plans: readonly RunPlan[]): Promise<PlansReport> {
  const failures: string[] = [];
  const endings: Record<string, number> = {};
  for (const plan of plans) {
    const { violations, status, reason } = await run(plan);
    endings[status] = (endings[status] ?? 0) + 1;
    if (violations.length > 0) failures.push(describeFailure(plan, [`${status}: ${reason}`, ...violations]));
  }
  return { runs: plans.length, failures, endings };
}

function describeFailure(plan: RunPlan, violations: readonly string[]): string {
  const lines = violations.map((violation) => `  ${violation}`);
  return [describePlan(plan), ...lines, `  again: ${commandOf(plan)}`].join('\n');
}

/** The command that runs it again, told in full. */
export function commandOf({ scenario, seed, harms = [] }: RunPlan): string {
  const isFromSeed = harms.every(({ at }) => 'ms' in at) && typeof seed === 'number';
  if (isFromSeed) return `node test/sim/main.ts --seed ${seed} --trace`;
  const told = harms.map(({ what, at }) =>
    'ms' in at ? '' : ` --harm ${JSON.stringify(what)} --at ${JSON.stringify(`${at.timing} ${at.side} ${at.effect}`)}`,
  );
  return `node test/sim/main.ts --scenario ${scenario} --seed ${seed}${told.join('')} --trace`;
}
