/**
 * `npm test [-- --quick] [--only PHASE,PHASE…] [--update]`: setup, check, conformance on a real API server, build, end-to-end on two real
 * clusters; each phase with its times. `--quick` runs what needs no cluster; `--update` rewrites golden files (review the
 * diff like code). Closes with one summary as node's runner writes it.
 */
import { parseArgs } from 'node:util';
import { renderError, StorkError } from '../kube/errors.ts';
import { check } from './check.ts';
import { runNode } from './run-command.ts';
import { addCounts, noTests, renderCounts, runTests, type TestCounts } from './test/run-tests.ts';
import { conformanceTests, e2eTests } from './test/suites.ts';

interface PhaseOutcome {
  readonly passed: boolean;
  readonly counts?: TestCounts;
}

interface Phase {
  readonly name: string;
  /** False for what only prepares: the tests that need it say what is missing. */
  readonly decides: boolean;
  readonly needsCluster: boolean;
  readonly run: () => Promise<PhaseOutcome>;
}

const write = (text: string): void => void process.stdout.write(text);

const phases: readonly Phase[] = [
  { name: 'setup', decides: false, needsCluster: true, run: () => script('scripts/setup.ts') },
  { name: 'check', decides: true, needsCluster: false, run: runCheck },
  { name: 'conformance', decides: true, needsCluster: true, run: () => runSuite(conformanceTests) },
  { name: 'build', decides: true, needsCluster: true, run: () => script('scripts/build.ts') },
  { name: 'end-to-end', decides: true, needsCluster: true, run: () => runSuite(e2eTests) },
];

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
  const times: string[] = [];
  for (const phase of chosen) {
    const phaseStartedMs = performance.now();
    write(`\n── ${phase.name} ── started ${timeOfDay()}\n`);
    const outcome = await phase.run();
    const seconds = ((performance.now() - phaseStartedMs) / 1000).toFixed(1);
    write(`── ${phase.name} ── ${outcome.passed ? 'passed' : 'FAILED'} ${timeOfDay()} after ${seconds} s\n`);
    times.push(`${phase.name} ${seconds} s`);
    counts = addCounts(counts, outcome.counts ?? noTests);
    if (!outcome.passed && phase.decides) failed.push(phase.name);
  }
  write(`\n${times.join(', ')}\n${failed.length === 0 ? 'all phases passed' : `failed: ${failed.join(', ')}`}\n`);
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
  return phases.filter((phase) => (only?.includes(phase.name) ?? true) && !(quick && phase.needsCluster));
}

async function runCheck(): Promise<PhaseOutcome> {
  const { failedSteps, unit } = await check((line) => write(`${line}\n`));
  return { passed: failedSteps.length === 0, counts: unit };
}

async function runSuite(suite: {
  readonly files: readonly string[];
  readonly filesAtOnce: number;
}): Promise<PhaseOutcome> {
  const counts = await runTests({ ...suite, write });
  return { passed: counts.failed === 0 && counts.cancelled === 0, counts };
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
