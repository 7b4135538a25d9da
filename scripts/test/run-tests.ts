/** Runs test files with node's own runner, each in a process of its own, and counts what came out. */
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';

export interface TestRun {
  /** Patterns below the repository's root. */
  readonly files: readonly string[];
  /** A folder below which nothing is taken. */
  readonly except?: string | undefined;
  /** How many files run at once. */
  readonly filesAtOnce: number;
  /** When it takes longer, what still runs is ended and counts as failed. */
  readonly limitMs: number;
  /** Gets the runner's report as it is written. */
  readonly write: (text: string) => void;
  /** Runs only tests whose name matches. */
  readonly only?: string | undefined;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export interface TestCounts {
  readonly tests: number;
  readonly suites: number;
  readonly passed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly todo: number;
  /** Which failed and why: told again at the end, since whoever reads a long report often has its end only. */
  readonly failures: readonly string[];
}

export const noTests: TestCounts = {
  ...{ tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 },
  failures: [],
};

const root = join(import.meta.dirname, '../..');

/** Never throws for failing tests: they are in the counts. No matching file: no test. */
export async function runTests({ files, except, write, only, env, ...limits }: TestRun): Promise<TestCounts> {
  const found = findTestFiles(files, except);
  if (found.length === 0) return noTests;
  let counts = noTests;
  const failures: string[] = [];
  const stream = run({
    files: found.map((file) => join(root, file)),
    concurrency: limits.filesAtOnce,
    signal: AbortSignal.timeout(limits.limitMs),
    cwd: root,
    execArgv: ['--import', pathToFileURL(join(root, 'scripts/keep-awake.ts')).href],
    ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
    ...(only === undefined ? {} : { testNamePatterns: [only] }),
  });
  stream.on('test:summary', (summary) => {
    if (summary.file === undefined) counts = { ...noTests, ...summary.counts };
  });
  stream.on('test:fail', (test) => {
    const told = describeFailure(test);
    if (told !== undefined) failures.push(told);
  });
  const report = stream.compose(new spec());
  report.on('data', (chunk: Buffer | string) => write(chunk.toString()));
  await once(report, 'end');
  return { ...counts, failures };
}

interface FailedTest {
  readonly name: string;
  readonly file?: string | undefined;
  readonly details: { readonly error: Error };
}

const failureLength = 2500;

/** Undefined for a suite that failed because a test in it did. */
export function describeFailure({ name, file = '', details: { error } }: FailedTest): string | undefined {
  const { failureType, cause } = error as { readonly failureType?: string; readonly cause?: unknown };
  if (failureType === 'subtestsFailed') return undefined;
  const reason = cause instanceof Error ? `${cause.message}\n${cause.stack ?? ''}` : String(cause ?? error.message);
  return `✖ ${name}\n  in ${relative(root, file)}\n${reason.slice(0, failureLength).trimEnd()}`;
}

/** By name, relative to the repository's root. */
export function findTestFiles(patterns: readonly string[], except?: string): readonly string[] {
  return globSync([...patterns], { cwd: root })
    .filter((file) => except === undefined || !file.startsWith(`${except}/`))
    .toSorted();
}

export function addCounts(a: TestCounts, b: TestCounts): TestCounts {
  return {
    tests: a.tests + b.tests,
    suites: a.suites + b.suites,
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    cancelled: a.cancelled + b.cancelled,
    skipped: a.skipped + b.skipped,
    todo: a.todo + b.todo,
    failures: [...a.failures, ...b.failures],
  };
}

/** The closing lines as node's runner writes them, so that whoever reads its output can read ours. */
export function renderCounts(counts: TestCounts, durationMs: number): string {
  return [
    `# tests ${counts.tests}`,
    `# suites ${counts.suites}`,
    `# pass ${counts.passed}`,
    `# fail ${counts.failed}`,
    `# cancelled ${counts.cancelled}`,
    `# skipped ${counts.skipped}`,
    `# todo ${counts.todo}`,
    `# duration_ms ${Math.round(durationMs)}`,
  ].join('\n');
}
