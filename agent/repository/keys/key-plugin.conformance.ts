import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Scratch, scratch } from '../../mover/testing/test-volumes.ts';
import { runCommand } from '../testing/run-command.ts';
import { memoryRepository } from '../testing/write-restore-point.ts';
import { type KeyPluginConfig, programPlugin } from './key-plugin.ts';
import { addKeySlot, findKeySlot, listKeySlots } from './key-slots.ts';

const reference = join(import.meta.dirname, '../testing/file-key-plugin.ts');
const owner = { created: new Date('2026-01-01T00:00:00Z'), username: 'u', hostname: 'h' };
const minuteMs = 60_000;

function referenceCommand(space: Scratch, name: string): readonly [string, ...string[]] {
  const keyFile = space.path(`${name}.key`);
  writeFileSync(keyFile, randomBytes(32), { mode: 0o600 });
  return [process.execPath, '--no-warnings', reference, keyFile];
}

const pluginOf = (command: KeyPluginConfig['command'], name = 'kms', timeoutMs = minuteMs) =>
  programPlugin({ name, command, timeoutMs }, {});

/** A program that does what its text says. */
const script = (text: string) => pluginOf([process.execPath, '-e', text]);

describe('a key slot of a plug-in', () => {
  it('is opened by it, by name, and by no other key', async () => {
    using space = scratch();
    const plugin = pluginOf(referenceCommand(space, 'one'));
    const repository = await memoryRepository();
    const wrapping = { by: 'Plugin', plugin } as const;
    await addKeySlot(repository, { kind: 'ours', wrapping, label: '', owner }, randomBytes);
    assert.deepEqual((await findKeySlot(repository.store, wrapping))?.key, repository.key);
    const [slot] = await listKeySlots(repository.store);
    assert.deepEqual([slot?.kdf, slot?.plugin], ['plugin', 'kms']);
    const otherName = script('throw new Error("never asked")');
    assert.equal(await findKeySlot(repository.store, { by: 'Plugin', plugin: { ...otherName, name: 'x' } }), undefined);
    const otherKey = pluginOf(referenceCommand(space, 'two'));
    await assert.rejects(findKeySlot(repository.store, { by: 'Plugin', plugin: otherKey }), {
      code: 'KeyPluginFailed',
    });
    const liar = script('console.log(JSON.stringify({ key: Buffer.alloc(64).toString("base64") }))');
    assert.equal(await findKeySlot(repository.store, { by: 'Plugin', plugin: liar }), undefined);
  });

  it('is not left behind when what the plug-in wrapped does not come back', async () => {
    const repository = await memoryRepository();
    const plugin = script('console.log(JSON.stringify({ wrapped: "AAAA", key: "AAAA" }))');
    const wanted = { kind: 'ours', wrapping: { by: 'Plugin', plugin }, label: '', owner } as const;
    await assert.rejects(addKeySlot(repository, wanted, randomBytes), { code: 'KeySlotUnproven' });
    assert.deepEqual(await listKeySlots(repository.store), []);
    const failing = script('console.log(JSON.stringify({ wrapped: "AAAA" }))');
    await assert.rejects(
      addKeySlot(repository, { ...wanted, wrapping: { by: 'Plugin', plugin: failing } }, randomBytes),
      { code: 'KeyPluginFailed' },
    );
    assert.deepEqual(await listKeySlots(repository.store), []);
  });
});

describe('a key plug-in', () => {
  for (const [what, text, message] of [
    [
      'fails',
      'console.error("access \\u001b[31mdenied"); process.exit(7)',
      /exit code 7; it said: access +\[31mdenied/,
    ],
    ['says nothing', '', /without base64 in key/],
    ['says no JSON', 'console.log("hello")', /without base64 in key/],
    ['says too much', 'process.stdout.write("x".repeat(1e6))', /said more than 65536 bytes/],
    ['answers something else', 'console.log(JSON.stringify({ wrapped: "AAAA" }))', /without base64 in key/],
  ] as const)
    it(`that ${what} is told of`, async () => {
      await assert.rejects(script(text).unwrap(Buffer.from('x')), { code: 'KeyPluginFailed', message });
    });

  it('that never answers is ended', async () => {
    const plugin = pluginOf([process.execPath, '-e', 'setInterval(() => {}, 1000)'], 'kms', 300);
    await assert.rejects(plugin.unwrap(Buffer.from('x')), { code: 'KeyPluginFailed', message: /within 0.3 s/ });
  });

  it('that is not there is told of', async () => {
    await assert.rejects(pluginOf(['/nowhere/plugin']).wrap(Buffer.from('x')), { message: /ENOENT/ });
  });

  it('gets no secret by its arguments, and of the environment what it is given', async () => {
    const told = 'JSON.stringify([process.argv.length, Object.keys(process.env)])';
    const text = `console.log(JSON.stringify({ wrapped: Buffer.from(${told}).toString("base64") }))`;
    const plugin = programPlugin(
      { name: 'x', command: [process.execPath, '-e', text], timeoutMs: minuteMs },
      { A: '1' },
    );
    assert.deepEqual(JSON.parse((await plugin.wrap(Buffer.from('secret'))).toString()), [1, ['A']]);
  });
});

describe('commands with a key plug-in', () => {
  it('add, use and exchange its slot; refuse a config or program that anybody may write', async () => {
    using space = scratch();
    const [repo, password, config] = [space.path('repo'), space.path('password'), space.path('plugin.json')];
    writeFileSync(password, 'secret');
    const [program, ...args] = referenceCommand(space, 'one');
    writeFileSync(config, JSON.stringify({ name: 'prod', command: [program, ...args] }));
    const withPassword = ['--repo', repo, '--password-file', password];
    const withPlugin = ['--repo', repo, '--key-plugin', config];
    await runCommand('repo', 'init', ...withPassword);
    assert.equal((await runCommand('list', ...withPlugin)).exitCode, 12);
    const added = await runCommand('key', 'add', ...withPassword, '--new-key-plugin', config);
    assert.equal(added.exitCode, 0, added.stderr);
    const listed = await runCommand('key', 'list', ...withPlugin);
    assert.match(listed.stdout.toString(), /plug-in prod/);
    const rotated = await runCommand('key', 'rotate', ...withPlugin, '--new-key-plugin', config);
    assert.equal(rotated.exitCode, 0, rotated.stderr);
    assert.equal((await runCommand('repo', 'info', ...withPlugin)).exitCode, 0);
    chmodSync(config, 0o666);
    const refused = await runCommand('list', ...withPlugin);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /anybody/);
  });
});
