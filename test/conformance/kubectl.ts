/** The real kubectl on a given kubeconfig, for tests that hold us to what users meet. */
import { execFile } from 'node:child_process';
import { ensureBinaries } from '../testbed/binaries.ts';

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const timeoutMs = 60_000;

/** `input` goes to standard input as JSON. Resolves also when kubectl fails. */
export async function kubectlFor(
  kubeconfig: string,
): Promise<(argv: readonly string[], input?: unknown) => Promise<Answer>> {
  const binaries = await ensureBinaries(['kubectl']);
  return (argv, input) =>
    new Promise((resolve) => {
      const env = { ...process.env, KUBECONFIG: kubeconfig };
      const child = execFile(
        binaries.path('kubectl'),
        [...argv],
        { env, timeout: timeoutMs },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
          resolve({ code, stdout, stderr });
        },
      );
      child.stdin?.end(input === undefined ? '' : JSON.stringify(input));
    });
}
