/** For tests: one command line of stork-agent in this process, and what it said. tidy: ambient-calls because tests see the real time. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { Ambient } from '../../../kube/ambient.ts';
import { systemClock } from '../../../kube/clock.ts';
import { run } from '../../cli.ts';

export interface CommandOutcome {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export const runCommand = (...argv: readonly string[]): Promise<CommandOutcome> => runCommandIn({}, ...argv);

/** With these in its environment, as the credentials of a store. */
export const runCommandIn = (
  env: Readonly<Record<string, string>>,
  ...argv: readonly string[]
): Promise<CommandOutcome> => runCommandUntil(new AbortController().signal, env, ...argv);

/** Until it is told to stop. */
export const runCommandUntil = (
  signal: AbortSignal,
  env: Readonly<Record<string, string>>,
  ...argv: readonly string[]
): Promise<CommandOutcome> => runWith({ signal, env, stdout: new PassThrough() }, argv);

/** Its standard output is a terminal. */
export const runCommandOnTerminal = (...argv: readonly string[]): Promise<CommandOutcome> => {
  const stdout = Object.assign(new PassThrough(), { isTTY: true });
  return runWith({ signal: new AbortController().signal, env: {}, stdout }, argv);
};

async function runWith(
  { signal, env, stdout }: Pick<Ambient, 'signal' | 'env'> & { readonly stdout: PassThrough },
  argv: readonly string[],
): Promise<CommandOutcome> {
  const stderr = new PassThrough();
  const said = Promise.all([stdout, stderr].map(async (stream) => Buffer.concat(await stream.toArray())));
  const exitCode = await run(argv, {
    version: 'test',
    env,
    clock: systemClock(),
    randomBytes,
    randomUuid: () => randomUUID(),
    random: () => 0.5,
    stdin: new PassThrough(),
    stdout,
    stderr,
    signal,
  });
  stdout.end();
  stderr.end();
  const [out = Buffer.alloc(0), err = Buffer.alloc(0)] = await said;
  assert.ok(typeof exitCode === 'number');
  return { exitCode, stdout: out, stderr: err.toString() };
}
