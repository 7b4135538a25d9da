/**
 * `npm test [-- --quick] [--only PHASE,PHASE…] [--update]`: setup, check, conformance on a real API server, build, end-to-end on two real
 * clusters; each phase with its times. `--quick` runs what needs no cluster; `--update` rewrites golden files (review the
 * diff like code). What this machine cannot run is skipped and named at the end. Closes with one summary as node's runner
 * writes it.
 */
import { parseArgs } from 'node:util';
import { renderError, StorkError } from '../kube/errors.ts';
import { check } from './check.ts';
import { runNode } from './run-command.ts';
import { decideSkip, type Host, type Need } from './test/decide-skip.ts';
import { runEndToEnd } from './test/run-end-to-end.ts';
import { addCounts, noTests, renderCounts, runTests, type TestCounts } from './test/run-tests.ts';
import { conformanceTests, simulations } from './test/suites.ts';

interface PhaseOutcome {
  readonly passed: boolean;
  readonly counts?: TestCounts;
}

interface Phase {
  readonly name: string;
  /** `Prepares` never fails the whole: the tests that need what it brings say what is missing. */
  readonly kind: 'Prepares' | 'Decides';
  /** Part of `--quick` as well. */
  readonly when: 'Always' | 'Full';
  readonly needs?: Need;
  readonly run: () => Promise<PhaseOutcome>;
}

const write = (text: string): void => void process.stdout.write(text);

const phases: readonly Phase[] = [
  { name: 'setup', kind: 'Prepares', when: 'Full', run: () => script('scripts/setup.ts') },
  { name: 'check', kind: 'Decides', when: 'Always', run: runCheck },
  { name: 'conformance', kind: 'Decides', when: 'Full', needs: 'Linux', run: runConformance },
  { name: 'build', kind: 'Decides', when: 'Full', needs: 'Linux', run: () => script('scripts/build.ts') },
  {
    name: 'end-to-end',
    kind: 'Decides',
    when: 'Full',
    needs: 'Root',
    run: async () => judge(await runEndToEnd({ write })),
  },
];

const host: Host = { platform: process.platform, arch: process.arch, isRoot: process.getuid?.() === 0 };

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      update: { type: 'boolean', default: false },
      only: { type: 'string' },
    },
  });
  const chosen = decidePhases(values.quick, values.only?.split(','));
  if (values.update) process.env.UPDATE_GOLDEN = '1';
  const startedMs = performance.now();
  let counts = noTests;
  const failed: string[] = [];
  const skipped: string[] = [];
  const times: string[] = [];
  for (const phase of chosen) {
    const skip = decideSkip(phase.needs, host);
    if (skip !== undefined) {
      skipped.push(`SKIPPED ${phase.name}: ${skip}`);
      counts = addCounts(counts, { ...noTests, tests: 1, skipped: 1 });
      continue;
    }
    const phaseStartedMs = performance.now();
    write(`\n── ${phase.name} ── started ${timeOfDay()}\n`);
    const outcome = await phase.run().catch(tellFailure);
    const seconds = ((performance.now() - phaseStartedMs) / 1000).toFixed(1);
    write(`── ${phase.name} ── ${outcome.passed ? 'passed' : 'FAILED'} ${timeOfDay()} after ${seconds} s\n`);
    times.push(`${phase.name} ${seconds} s`);
    counts = addCounts(counts, outcome.counts ?? noTests);
    if (!outcome.passed && phase.kind === 'Decides') failed.push(phase.name);
  }
  if (counts.failures.length > 0) write(`\n── what failed ──\n${counts.failures.join('\n\n')}\n`);
  const verdict = failed.length === 0 ? 'all phases that ran passed' : `failed: ${failed.join(', ')}`;
  write(`\n${[times.join(', '), ...skipped, verdict].join('\n')}\n`);
  // A phase that failed without a failing test (types, lint, build) counts as one, so that the closing lines never look green.
  const closing =
    failed.length > 0 && counts.failed === 0
      ? addCounts(counts, { ...noTests, tests: failed.length, failed: failed.length })
      : counts;
  write(`${renderCounts(closing, performance.now() - startedMs)}\n`);
  return failed.length === 0 ? 0 : 1;
}

function decidePhases(quick: boolean, only: readonly string[] | undefined): readonly Phase[] {
  const unknown = only?.filter((name) => !phases.some((phase) => phase.name === name)) ?? [];
  if (unknown.length > 0)
    throw new StorkError({
      code: 'UnknownPhase',
      message: `There is no phase ${unknown.join(', ')}.`,
      hint: `Known: ${phases.map(({ name }) => name).join(', ')}.`,
    });
  return phases.filter((phase) => (only?.includes(phase.name) ?? true) && !(quick && phase.when === 'Full'));
}

async function runCheck(): Promise<PhaseOutcome> {
  const { failedSteps, unit } = await check((line) => write(`${line}\n`));
  return { passed: failedSteps.length === 0, counts: unit };
}

async function runConformance(): Promise<PhaseOutcome> {
  let told = '';
  const keep = (text: string): void => {
    told += text;
  };
  const [conformance, simulated] = await Promise.all([
    runTests({ ...conformanceTests, write }),
    runTests({ ...simulations, write: keep }),
  ]);
  write(told);
  const outcomes = [judge(conformance), judge(simulated)];
  return { passed: outcomes.every(({ passed }) => passed), counts: addCounts(conformance, simulated) };
}

function tellFailure(error: unknown): PhaseOutcome {
  write(`${renderError(error)}\n`);
  return { passed: false };
}

/** No test at all is a failure too: the files were not found. */
function judge(counts: TestCounts): PhaseOutcome {
  return { passed: counts.passed > 0 && counts.failed === 0 && counts.cancelled === 0, counts };
}

async function script(file: string): Promise<PhaseOutcome> {
  return { passed: (await runNode(file, [])) === 0 };
}

const timeOfDay = (): string => new Date().toISOString().slice(11, 19);

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(`test: ${renderError(error)}`);
    process.exitCode = 1;
  },
);
