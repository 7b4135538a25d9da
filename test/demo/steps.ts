/** Numbered steps with their times, so that a reader of the demo sees what took how long. */
export interface Steps {
  /** Runs one step; its line is printed before, its time after. */
  run<Result>(title: string, work: () => Promise<Result>): Promise<Result>;
  note(text: string): void;
  /** All steps with their seconds, as one table. */
  summary(): string;
}

export function createSteps(total: number, write: (text: string) => void): Steps {
  const taken: { readonly title: string; readonly seconds: number }[] = [];
  return {
    async run(title, work) {
      write(`\n[${taken.length + 1}/${total}] ${title}\n`);
      const start = performance.now();
      const result = await work();
      const seconds = (performance.now() - start) / 1000;
      taken.push({ title, seconds });
      write(`      ✓ ${seconds.toFixed(1)} s\n`);
      return result;
    },
    note: (text) => write(`      ${text.replaceAll('\n', '\n      ')}\n`),
    summary() {
      const lines = taken.map(({ title, seconds }) => `  ${seconds.toFixed(1).padStart(7)} s  ${title}`);
      const sum = taken.reduce((seconds, step) => seconds + step.seconds, 0);
      return [...lines, `  ${sum.toFixed(1).padStart(7)} s  altogether`].join('\n');
    },
  };
}
