/**
 * The end-to-end tests side by side: each lane runs its files one after the other on a test bed of its own, which the first
 * of them brings up. What a file told is written when it has ended, in one piece.
 */
import type { Lane } from './plan-lanes.ts';
import { addCounts, noTests, runTests, type TestCounts } from './run-tests.ts';
import { e2eTests } from './suites.ts';

/** Never throws for failing tests: they are in the counts, and the files they are in are named at the end. */
export async function runLanes(
  lanes: readonly Lane[],
  { write, only }: { readonly write: (text: string) => void; readonly only?: string | undefined },
): Promise<TestCounts> {
  const startedMs = performance.now();
  const failed: string[] = [];
  const told = await Promise.all(
    lanes.map(async ({ bed, files }) => {
      let counts = noTests;
      for (const file of files) {
        const report = await runFile({ file, bed, only, limitMs: e2eTests.limitMs - (performance.now() - startedMs) });
        if (!report.passed) failed.push(`${file} (bed ${bed})`);
        write(report.text);
        counts = addCounts(counts, report.counts);
      }
      write(`── bed ${bed}: its ${files.length} files took ${seconds(startedMs)} s\n`);
      return counts;
    }),
  );
  if (failed.length > 0) write(`\nFailed, see above:\n${failed.map((line) => `  ${line}\n`).join('')}`);
  return told.reduce(addCounts, noTests);
}

interface FileRun {
  readonly file: string;
  readonly bed: number;
  readonly only: string | undefined;
  readonly limitMs: number;
}

interface FileReport {
  readonly text: string;
  readonly counts: TestCounts;
  readonly passed: boolean;
}

async function runFile({ file, bed, only, limitMs }: FileRun): Promise<FileReport> {
  const startedMs = performance.now();
  let text = '';
  const write = (more: string): void => {
    text += more;
  };
  const counts = await runTests({
    files: [file],
    filesAtOnce: 1,
    limitMs: Math.max(1, Math.round(limitMs)),
    env: { STORK_TESTBED_NUMBER: String(bed) },
    only,
    write,
  });
  const passed = counts.failed === 0 && counts.cancelled === 0;
  const heading = `── ${file} ── bed ${bed}, ${passed ? 'passed' : 'FAILED'} after ${seconds(startedMs)} s\n`;
  return { text: `\n${heading}${text}`, counts, passed };
}

const seconds = (sinceMs: number): string => ((performance.now() - sinceMs) / 1000).toFixed(1);
