/**
 * `npm run check`: what needs no cluster. Generated files are as generated, types, lint, tidy, unit tests; side by side
 * where that helps on two cores. One line with the time for each step; what a failing step printed follows it.
 */
import { join } from 'node:path';
import { renderError } from '../kube/errors.ts';
import { runCommand } from './run-command.ts';
import { noTests, renderCounts, runTests, type TestCounts } from './test/run-tests.ts';
import { unitTests } from './test/suites.ts';

export interface CheckResult {
  readonly failedSteps: readonly string[];
  readonly unit: TestCounts;
}

interface StepResult {
  readonly name: string;
  readonly passed: boolean;
  readonly unit: TestCounts;
}

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);

export async function check(say: (line: string) => void): Promise<CheckResult> {
  const node = process.execPath;
  const programs: readonly (readonly [string, string, readonly string[]])[] = [
    ['generated', node, ['scripts/generate.ts', '--check']],
    ['types', bin('tsc'), ['-p', '.']],
    ['lint', bin('biome'), ['check', '--error-on-warnings', '.']],
    ['tidy', node, ['scripts/tidy.ts']],
  ];
  const others = async () => {
    const results: StepResult[] = [];
    for (const [name, program, args] of programs)
      results.push(await runStep(name, say, () => runProgram(program, args)));
    return results;
  };
  const [results, unit] = await Promise.all([others(), runStep('unit', say, runUnitTests)]);
  const failedSteps = [...results, unit].filter((result) => !result.passed).map((result) => result.name);
  return { failedSteps, unit: unit.unit };
}

interface StepOutcome {
  readonly passed: boolean;
  /** Shown when it did not pass. */
  readonly output: string;
  readonly remark?: string;
  readonly unit?: TestCounts;
}

async function runStep(
  name: string,
  say: (line: string) => void,
  run: () => Promise<StepOutcome>,
): Promise<StepResult> {
  const startedMs = performance.now();
  const outcome = await run();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(6);
  say(
    `${outcome.passed ? 'ok  ' : 'FAIL'} ${name.padEnd(10)} ${seconds} s${outcome.remark === undefined ? '' : `  ${outcome.remark}`}`,
  );
  if (!outcome.passed) say(outcome.output.trimEnd());
  return { name, passed: outcome.passed, unit: outcome.unit ?? noTests };
}

async function runProgram(program: string, args: readonly string[]): Promise<StepOutcome> {
  return await runCommand(program, args, { cwd: root }).then(
    (output) => ({ passed: true, output }),
    (error: unknown) => ({ passed: false, output: renderError(error) }),
  );
}

async function runUnitTests(): Promise<StepOutcome> {
  const report: string[] = [];
  const unit = await runTests({ ...unitTests, write: (text) => void report.push(text) });
  const passed = unit.failed === 0 && unit.cancelled === 0 && unit.passed > 0;
  return { passed, output: failuresOf(report.join('')), remark: `${unit.passed} passed, ${unit.failed} failed`, unit };
}

/** The end of the runner's report, which repeats what failed; all of it when it broke off before. */
function failuresOf(report: string): string {
  const start = report.lastIndexOf('failing tests:');
  return start < 0 ? report : report.slice(start);
}

if (import.meta.main) {
  const startedMs = performance.now();
  const { failedSteps, unit } = await check((line) => console.log(line));
  console.log(renderCounts(unit, performance.now() - startedMs));
  if (failedSteps.length > 0) console.error(`check failed: ${failedSteps.join(', ')}`);
  process.exitCode = failedSteps.length === 0 ? 0 : 1;
}
