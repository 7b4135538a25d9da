/** Exec and logs on real kubelets, which the unit tests' WebSocket server only imitates. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ExecRequest, KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { ApiError, StorkError } from '../../kube/errors.ts';
import { aNamespace, aRunningPod, connect, until } from './connect.ts';

const isCode = (code: string) => (error: unknown) => error instanceof StorkError && error.code === code;

describe('exec', { concurrency: true }, () => {
  describeExec('a');
  describeExec('b');
});

function describeExec(context: 'a' | 'b'): void {
  describe(`on cluster ${context}`, () => {
    let client: KubeClient;
    let namespace: Awaited<ReturnType<typeof aNamespace>>;
    before(async () => {
      client = await connect(context);
      namespace = await aNamespace(client, 'exec-');
      await aRunningPod(client, namespace.name, 'one');
    });
    after(async () => {
      await namespace[Symbol.asyncDispose]();
      client.close();
    });
    const sh = (script: string, more: Partial<ExecRequest> = {}) =>
      client.exec({ namespace: namespace.name, pod: 'one', command: ['sh', '-c', script], ...more });

    it('answers output, errors and the exit code', async () => {
      assert.deepEqual(await sh('printf "5 €"; printf oops >&2; exit 42'), {
        exitCode: 42,
        stdout: '5 €',
        stderr: 'oops',
      });
      assert.equal((await sh('true', { container: 'main' })).exitCode, 0);
    });

    it('sends stdin to its end', async () => {
      const stdin = 'line ä\n'.repeat(10_000);
      assert.deepEqual(await sh('wc -l', { stdin }), { exitCode: 0, stdout: '10000\n', stderr: '' });
    });

    it('passes on a long output whole and keeps its end', async () => {
      let length = 0;
      const onOutput = (_: string, text: string) => {
        length += text.length;
      };
      const result = await sh(
        'i=0; while [ $i -lt 20000 ]; do echo "line $i of many, to fill some megabytes of output ......."; i=$((i+1)); done',
        { onOutput },
      );
      assert.equal(result.exitCode, 0);
      assert.ok(length > 1_000_000, `${length} characters`);
      assert.match(result.stdout, /line 19999 of many[^\n]*\n$/);
    });

    it('runs many at once', async () => {
      const results = await Promise.all(Array.from({ length: 20 }, (_, at) => sh(`echo ${at}`)));
      assert.deepEqual(
        results.map((result) => result.stdout),
        Array.from({ length: 20 }, (_, at) => `${at}\n`),
      );
    });

    it('survives a command that is silent for longer than the pings’ patience', { skip: context === 'b' }, async () => {
      assert.equal((await sh('sleep 65; echo done')).stdout, 'done\n');
    });

    it('ends at its timeout and on abort', async () => {
      await assert.rejects(sh('sleep 30', { timeoutMs: 500 }), isCode('ExecTimedOut'));
      await assert.rejects(sh('sleep 30', { signal: AbortSignal.timeout(500) }), /TimeoutError|aborted due to timeout/);
    });

    it('says what is not there: pod, container, command', async () => {
      await assert.rejects(sh('true', { pod: 'absent' }), isCode('NotFound'));
      await assert.rejects(
        sh('true', { container: 'absent' }),
        (error) => error instanceof ApiError && /absent/.test(error.message),
      );
      await assert.rejects(sh('', { command: ['/no/such/program'] }), StorkError);
    });

    it('refuses who may not exec', async () => {
      const other = client.as({ user: 'nobody' });
      await assert.rejects(
        other.exec({ namespace: namespace.name, pod: 'one', command: ['true'] }),
        isCode('Forbidden'),
      );
    });

    it('never calls a command successful whose pod went away', async () => {
      await aRunningPod(client, namespace.name, 'two');
      const begun = Promise.withResolvers<string>();
      const inTwo = (command: string) =>
        sh(command, { pod: 'two', onOutput: () => begun.resolve('begun') }).then(
          (result) => `exit ${result.exitCode}`,
          (error: unknown) => (error instanceof StorkError ? error.code : `not a StorkError: ${error}`),
        );
      const running = inTwo('echo begun; sleep 60');
      assert.equal(await Promise.race([begun.promise, running]), 'begun');
      const deletion = client.delete(core.pods, { namespace: namespace.name, name: 'two' }, { gracePeriodSeconds: 1 });
      // This one finds the pod running, ending or gone already, as a busy machine has it.
      const late = inTwo('sleep 60');
      await deletion;
      assert.match(await running, /^(exit 137|exit 143|ExecInterrupted|InternalError)$/);
      assert.match(await late, /^(exit 137|exit 143|ExecInterrupted|InternalError|NotFound)$/);
      await until(
        'the pod is gone',
        async () => (await client.find(core.pods, { namespace: namespace.name, name: 'two' })) === undefined,
      );
    });

    it('reads logs', async () => {
      const request = { namespace: namespace.name, pod: 'one', container: 'main' };
      assert.equal(await client.logs(request), 'started\nand more\n');
      assert.equal(await client.logs({ ...request, tailLines: 1 }), 'and more\n');
      await assert.rejects(client.logs({ ...request, pod: 'absent' }), isCode('NotFound'));
    });
  });
}
