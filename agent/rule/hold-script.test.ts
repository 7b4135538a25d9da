import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readHoldReport } from './hold-report.ts';
import { clearScript, type HoldCommand, observeScript, releaseScript, startScript } from './hold-script.ts';
import { endHeld, heldProcesses } from './testing/held-processes.ts';

// The scripts run here for real, in every shell this machine has, with a PATH of `sh` and `sleep` and (where it says so) more.
const shells = [
  { name: 'dash', path: '/usr/bin/dash' },
  { name: 'busybox', path: '/usr/bin/busybox' },
  { name: 'bash', path: '/usr/bin/bash' },
].filter((shell) => existsSync(shell.path));

const folder = mkdtempSync(join(tmpdir(), 'stork-rule-test-'));
after(() => {
  endHeld(`/.stork-rule-test-${process.pid}-`);
  rmSync(folder, { recursive: true, force: true });
  // Without rm in the PATH the scripts leave their (emptied) files.
  for (const name of readdirSync('/tmp')) {
    if (name.startsWith(`.stork-rule-test-${process.pid}-`)) rmSync(join('/tmp', name), { force: true });
  }
});

for (const shell of shells) {
  for (const tools of ['sh and sleep only', 'the usual tools'] as const) {
    describe(`a background command under ${shell.name} with ${tools}`, { concurrency: true }, () => {
      const run = shellOf(shell, tools);
      // They wait for real seconds; what they show does not depend on more tools being there.
      const itOnce: (name: string, test: () => Promise<void>) => void = tools === 'the usual tools' ? () => {} : it;
      const hold = (name: string, fields: Partial<HoldCommand> = {}): HoldCommand => ({
        key: `test-${process.pid}-${shell.name}-${tools.length}-${name}`,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the rule's own placeholder
        command: 'echo before; ${WAIT_CMD}; echo after',
        holdSeconds: 30,
        startSeconds: 10,
        graceSeconds: 1,
        pollSeconds: 5,
        tailBytes: 2048,
        ...fields,
      });

      it('holds until released, and measures for how long', async () => {
        const command = hold('release');
        const began = performance.now();
        assert.deepEqual(await run(startScript(command)), { phase: 'Holding', output: 'before\n' });
        assert.equal((await run(observeScript(command.key, 2048)))?.phase, 'Holding');
        const ended = await run(releaseScript(command.key, 5, 2048));
        assert.equal(ended?.phase, 'Ended');
        assert.equal(ended.exitCode, 0);
        assert.equal(ended.held, 'Yes');
        assert.equal(ended.expired, 'No');
        assert.equal(ended.output, 'before\nafter\n');
        const tookMs = performance.now() - began;
        // /proc/uptime counts in steps of 10 ms.
        assert.ok(ended.heldMs !== undefined && ended.heldMs <= tookMs + 20, `heldMs ${ended.heldMs} of ${tookMs}`);
        assert.deepEqual(await run(releaseScript(command.key, 5, 2048)), ended);
        await run(clearScript(command.key));
      });

      it('is started once, however often it is asked for', async () => {
        const command = hold('twice');
        await run(startScript(command));
        assert.deepEqual(await run(startScript(command)), { phase: 'Holding', output: 'before\n' });
        await run(releaseScript(command.key, 5, 2048));
        const again = await run(startScript(command));
        assert.equal(again?.phase, 'Ended');
        assert.equal(again.output, 'before\nafter\n');
        await run(clearScript(command.key));
      });

      itOnce('lets go by itself at the deadline, and says so', async () => {
        const command = hold('deadline', { holdSeconds: 1, graceSeconds: 10 });
        assert.equal((await run(startScript(command)))?.phase, 'Holding');
        await until(async () => (await run(observeScript(command.key, 2048)))?.phase === 'Ended');
        const ended = await run(releaseScript(command.key, 5, 2048));
        assert.equal(ended?.phase, 'Ended');
        assert.equal(ended.expired, 'Yes');
        await run(clearScript(command.key));
      });

      itOnce('is killed, with its children, when it never reaches the wait', async () => {
        const command = hold('stuck', { command: 'sleep 60; echo never', startSeconds: 4, pollSeconds: 1 });
        assert.equal((await run(startScript(command)))?.phase, 'Starting');
        await until(async () => (await run(observeScript(command.key, 2048)))?.phase === 'Ended');
        const ended = await run(observeScript(command.key, 2048));
        assert.equal(ended?.phase, 'Ended');
        assert.equal(ended.held, 'No');
        assert.notEqual(ended.exitCode, 0);
        assert.equal(ended.output.includes('never'), false);
        await run(clearScript(command.key));
      });

      itOnce('is killed when it does not end after the release', async () => {
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the rule's own placeholder
        const command = hold('lingers', { command: '${WAIT_CMD}; sleep 60; echo never' });
        assert.equal((await run(startScript(command)))?.phase, 'Holding');
        await run(releaseScript(command.key, 1, 2048));
        await until(async () => (await run(observeScript(command.key, 2048)))?.phase === 'Ended');
        await run(clearScript(command.key));
      });

      it('shows a command that fails before the wait, with its output and code', async () => {
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the rule's own placeholder
        const command = hold('fails', { command: "echo 'no database' >&2; exit 3; ${WAIT_CMD}" });
        const ended = await run(startScript(command));
        assert.equal(ended?.phase, 'Ended');
        assert.equal(ended.exitCode, 3);
        assert.equal(ended.held, 'No');
        assert.equal(ended.output, 'no database\n');
        await run(clearScript(command.key));
      });

      it('takes any quoting, and the wait anywhere in it', async () => {
        const command = hold('quotes', {
          command: `printf '%s\\n' "it's \\$5 \\"quoted\\" *"; sh -c '\${WAIT_CMD}'`,
        });
        assert.deepEqual(await run(startScript(command)), { phase: 'Holding', output: `it's $5 "quoted" *\n` });
        await run(releaseScript(command.key, 5, 2048));
        await run(clearScript(command.key));
      });

      itOnce('leaves no process, though its files are removed before its watchdog looks again', async () => {
        const naps = shellOf(shell, tools, wholeSecondsOnly);
        const command = hold('watched', { command: '/usr/bin/sleep 0.3', startSeconds: 300, pollSeconds: 0 });
        await naps(startScript(command));
        await until(async () => (await run(observeScript(command.key, 2048)))?.phase === 'Ended');
        for (const name of filesOf(command.key)) rmSync(name, { force: true });
        await until(async () => heldProcesses(`/.stork-rule-${command.key}\0`).length === 0);
      });

      it('is absent before it starts and after it was cleared', async () => {
        const command = hold('absent');
        assert.deepEqual(await run(observeScript(command.key, 2048)), { phase: 'Absent' });
        assert.deepEqual(await run(releaseScript(command.key, 1, 2048)), { phase: 'Absent' });
        if (tools === 'sh and sleep only') return;
        await run(startScript(command));
        await run(releaseScript(command.key, 5, 2048));
        await run(clearScript(command.key));
        assert.deepEqual(await run(observeScript(command.key, 2048)), { phase: 'Absent' });
      });
    });
  }
}

/** As some containers have it: then the scripts look once a second. */
const wholeSecondsOnly = `#!/bin/sh
case $1 in *.*) exit 1;; esac
exec /usr/bin/sleep "$1"
`;

/** @param sleep a script in place of the machine's own */
function shellOf(shell: { readonly name: string; readonly path: string }, tools: string, sleep?: string) {
  const bin = mkdtempSync(join(folder, `${shell.name}-`));
  symlinkSync(shell.path, join(bin, 'sh'));
  if (sleep === undefined) symlinkSync('/usr/bin/sleep', join(bin, 'sleep'));
  else writeFileSync(join(bin, 'sleep'), sleep, { mode: 0o755 });
  const path = tools === 'sh and sleep only' ? bin : [bin, '/usr/bin', '/bin'].join(delimiter);
  return async (command: readonly string[]) => {
    const [program = '', ...rest] = command;
    const child = spawn(join(bin, program), rest, { env: { PATH: path }, stdio: ['ignore', 'pipe', 'pipe'] });
    const { stdout, stderr } = await textOf(child);
    assert.equal(stderr, '');
    return readHoldReport(stdout);
  };
}

function textOf(child: ChildProcess): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    text.stdout += piece;
  });
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    text.stderr += piece;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
}

const filesOf = (key: string): readonly string[] =>
  readdirSync('/tmp')
    .filter((name) => name.startsWith(`.stork-rule-${key}`))
    .map((name) => join('/tmp', name));

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let attempts = 0; attempts < 480; attempts += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.fail('did not come true within 2 minutes');
}
