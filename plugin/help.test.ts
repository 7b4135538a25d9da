import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allCommands } from './commands/all-commands.ts';
import { assertGolden, terminalWorld } from './terminal-world.ts';

describe('help', () => {
  it('explains every command', async () => {
    const world = terminalWorld();
    await world.run('');
    await world.run('pair');
    await world.run('options');
    for (const command of allCommands) await world.run(`${command.words.map(([word]) => word).join(' ')} --help`);
    await assertGolden('help.txt', world.transcript());
  });

  it('has no line wider than the terminal', async () => {
    const world = terminalWorld();
    for (const command of allCommands) await world.run(`${command.words.map(([word]) => word).join(' ')} -h`);
    const wide = world
      .transcript()
      .split('\n')
      .filter((line) => line.length > 110 && !line.includes('kubectl stork '));
    assert.deepEqual(wide, []);
  });
});

describe('mistakes on the command line', () => {
  it('are named, with where to look', async () => {
    const world = terminalWorld();
    const lines = [
      'migrat shop',
      'get migratoin',
      'get',
      'get nothing-like-it',
      'migrate',
      'migrate shop',
      'migrate shop --tto west',
      'migrate shop --to',
      'migrate shop -x',
      'migrate shop --to west --start=perhaps',
      'migrate shop --to west --timeout 5',
      'migrate shop --to west --dry-run=maybe',
      'version extra',
      'pair create east',
      'pair create east east',
      'pair create east north',
      'create migration',
      'create migration m --namespaces shop',
      'create clusterpair',
      'create rule r',
      'delete migration',
      'get migration --context north',
      'get migration --no-watch',
    ];
    for (const line of lines) assert.equal(await world.run(line), line === 'get' ? 0 : 1, line);
    await assertGolden('mistakes.txt', world.transcript());
  });

  it('tells when the kinds are not there', async () => {
    const world = terminalWorld({ kinds: 'Absent' });
    await world.run('get migration');
    await world.run('status');
    await world.run('migrate default --to west');
    await assertGolden('not-installed.txt', world.transcript());
  });
});

describe('completion', () => {
  it('knows words, flags, values and names', async () => {
    const world = terminalWorld();
    await world.run('__complete m');
    await world.run('__complete pair j');
    await world.run("__complete migrate ''");
    await world.run('__complete migrate --to');
    await world.run("__complete get migration --context west -n kube-system -o ''");
    await world.run('__complete migrate default --dry-run=');
    await world.run("__complete pair create ''");
    await world.run("__complete get migration -n nowhere ''");
    await world.run('completion');
    await assertGolden('completion.txt', world.transcript());
  });
});
