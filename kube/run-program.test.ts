import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { type Ending, type ProgramHost, runProgram } from './run-program.ts';

function hostOf(execve: ProgramHost['execve']): ProgramHost {
  return {
    argv: ['/bin/node', '/srv/main.ts', 'run', '--fast'],
    ...{ argv0: 'node', execArgv: ['--no-warnings'], execPath: '/bin/node', env: { KEPT: 'yes' } },
    ...{ stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() },
    on: () => undefined,
    exit: () => assert.fail('nobody asked for that'),
    ...(execve === undefined ? {} : { execve }),
  };
}

const ending = (how: Ending) => async () => ({ run: async () => how });

describe('a program', () => {
  it('ends with the exit code of its command', async () => {
    const host = hostOf(() => assert.fail('it is to end'));
    await runProgram(host, '1.2.3', ending(3));
    assert.equal(host.exitCode, 3);
  });

  it('that is to start anew becomes itself, with the same arguments and environment', async () => {
    const calls: unknown[] = [];
    const execve = (...call: unknown[]) => {
      calls.push(call);
      throw new Error('only a process never comes back from here');
    };
    await assert.rejects(runProgram(hostOf(execve), '1.2.3', ending('StartAnew')));
    const args = ['node', '--no-warnings', '/srv/main.ts', 'run', '--fast'];
    assert.deepEqual(calls, [['/bin/node', args, { KEPT: 'yes' }]]);
  });

  it('ends with 1 where it cannot become itself', async () => {
    const host = hostOf(undefined);
    await runProgram(host, '1.2.3', ending('StartAnew'));
    assert.equal(host.exitCode, 1);
  });

  for (const [code, ended, exitCode, said] of [
    ['EPIPE', 0, 141, ''],
    ['EPIPE', 3, 3, ''],
    ['ENOSPC', 0, 1, "Standard output can't be written: no space left\n"],
  ] as const)
    it(`ends with ${exitCode} when its output fails with ${code} and it was to end with ${ended}`, async () => {
      const stderr = new PassThrough();
      const host = { ...hostOf(undefined), stderr, exit: exits };
      await runProgram(host, '1.2.3', ending(ended));
      const failure = Object.assign(new Error('no space left'), { code });
      assert.throws(() => host.stdout.emit('error', failure), { message: `exit ${exitCode}` });
      assert.equal(String(stderr.read() ?? ''), said);
    });

  it('goes on when nobody hears what it says on standard error', async () => {
    const host = hostOf(undefined);
    await runProgram(host, '1.2.3', async () => ({
      run: async (_argv, { stderr }) => {
        stderr.emit('error', Object.assign(new Error('broken pipe'), { code: 'EPIPE' }));
        return 3;
      },
    }));
    assert.equal(host.exitCode, 3);
  });
});

function exits(code: number): never {
  throw new Error(`exit ${code}`);
}
