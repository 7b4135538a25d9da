/** Issue 5, acceptance 2: trees that change under a backup or a restore, and trees deeper than a path may be. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { StorkError } from '../../kube/errors.ts';
import { scratch } from '../mover/testing/test-volumes.ts';
import { canTell } from '../mover/testing/tree-of-everything.ts';
import { bringBack, memoryRepository, save } from './testing/save-and-restore.ts';

const directories = 12;
const outsiders = 'never in a snapshot, never written over';

interface Churn extends AsyncDisposable {
  readonly child: ChildProcess;
}

/** Runs `step(at)` of this script again and again in a process of its own, as an attacker or a busy application would. */
async function churn(script: string, ...args: readonly string[]): Promise<Churn> {
  const loop = `const fs = require('node:fs'); const [root, outside] = process.argv.slice(1);
    const quietly = (run) => { try { run(); } catch {} };
    ${script}
    process.stdout.write('begun');
    for (let at = 0; ; at++) step(at);`;
  const child = spawn(process.execPath, ['-e', loop, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  return {
    child,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Each directory is for a moment a symlink to the one outside. */
const swapDirectories = `const step = (at) => {
  const here = root + '/d' + (at % ${directories});
  quietly(() => fs.renameSync(here, here + '.away'));
  quietly(() => fs.symlinkSync(outside, here));
  quietly(() => fs.unlinkSync(here));
  quietly(() => fs.renameSync(here + '.away', here));
};`;

/** A log that grows, files that come and go, one that is rewritten. */
const liveOn = `const step = (at) => {
  quietly(() => fs.appendFileSync(root + '/log', 'line ' + at + '\\n'));
  quietly(() => fs.writeFileSync(root + '/tmp' + (at % 50), 'x'.repeat(at % 3000)));
  quietly(() => fs.unlinkSync(root + '/tmp' + ((at + 25) % 50)));
  quietly(() => fs.truncateSync(root + '/shrinks', 600_000 - (at % 600) * 1000));
};`;

function fill(root: string): void {
  for (let at = 0; at < directories; at++) {
    mkdirSync(`${root}/d${at}`, { recursive: true });
    for (let file = 0; file < 20; file++) writeFileSync(`${root}/d${at}/f${file}`, `inside ${at} ${file}`);
  }
}

/** Not through symlinks, which Node's own recursion follows to directories at times: what was a symlink when it was saved is one here. */
const contentsBelow = (root: string): readonly string[] =>
  readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const path = `${root}/${entry.name}`;
    if (entry.isDirectory()) return contentsBelow(path);
    return entry.isFile() ? [readFileSync(path, 'utf8')] : [];
  });

describe('a tree that changes', () => {
  it('while it is saved: nothing outside of it is read', async () => {
    using space = scratch();
    const [root, outside] = [space.path('data'), space.path('outside')];
    fill(root);
    mkdirSync(outside);
    for (let file = 0; file < 20; file++) writeFileSync(`${outside}/f${file}`, outsiders);
    const { repository } = await memoryRepository();
    await using _churn = await churn(swapDirectories, root, outside);
    for (let round = 0; round < 6; round++) {
      await save(repository, [root], round % 2 === 0 ? { parent: undefined } : {});
      const target = space.path(`restored${round}`);
      await bringBack(repository, root, target);
      const contents = contentsBelow(target);
      assert.ok(!contents.includes(outsiders));
      for (const content of contents) assert.match(content, /^inside \d+ \d+$/);
    }
  });

  it('while it is restored: nothing outside of it is written', async () => {
    using space = scratch();
    const [root, outside, target] = [space.path('data'), space.path('outside'), space.path('target')];
    fill(root);
    mkdirSync(outside);
    const { repository } = await memoryRepository();
    await save(repository, [root]);
    cpSync(root, target, { recursive: true });
    await using _churn = await churn(swapDirectories, target, outside);
    for (let round = 0; round < 6; round++) {
      for (let at = 0; at < directories; at += 3) quietly(() => writeFileSync(`${target}/d${at}/f0`, 'to be restored'));
      const options = { verify: false, problems: 'name', others: round % 2 === 0 ? 'remove' : 'keep' } as const;
      await bringBack(repository, root, target, options).catch(expectNamed);
      const written = readdirSync(outside).filter(
        (name) => readFileSync(`${outside}/${name}`, 'utf8') !== 'to be restored',
      );
      assert.deepEqual(written, []);
    }
  });

  it('as applications do: what is saved is what was there, the rest is named', async () => {
    using space = scratch();
    const root = space.path('data');
    mkdirSync(root);
    writeFileSync(`${root}/log`, '');
    writeFileSync(`${root}/shrinks`, 'y'.repeat(600_000));
    writeFileSync(`${root}/still`, 'still');
    const { repository } = await memoryRepository();
    for (let round = 0; round < 4; round++) {
      {
        await using _churn = await churn(liveOn, root);
        const { problems } = await save(repository, [root]);
        assert.ok(
          problems.every(({ kind }) => kind === 'vanished' || kind === 'changed'),
          JSON.stringify(problems),
        );
      }
      const target = space.path(`restored${round}`);
      await bringBack(repository, root, target);
      assert.equal(readFileSync(`${target}/still`, 'utf8'), 'still');
      const log = readFileSync(`${target}/log`, 'utf8');
      assert.ok(
        readFileSync(`${root}/log`, 'utf8').startsWith(log),
        'a log that only grew is a part of what it is now',
      );
      assert.match(readFileSync(`${target}/shrinks`, 'utf8'), /^[y\0]*$/);
    }
  });
});

function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // The directory is away just now.
  }
}

function expectNamed(error: unknown): void {
  assert.ok(error instanceof StorkError, String(error));
}

const levels = 40;
const name = 'n'.repeat(250);

/** Deeper than PATH_MAX: each program goes down by relative names. */
const python = (script: string, ...args: readonly string[]): string =>
  execFileSync('python3', ['-c', script, ...args], { encoding: 'utf8' });

it(`a tree ${levels * name.length} bytes deep is saved, verified and restored`, {
  skip: canTell ? false : 'needs python3 and root',
}, async () => {
  using space = scratch();
  const [root, target] = [space.path('data'), space.path('target')];
  mkdirSync(root);
  const dig = `import os, sys
os.chdir(sys.argv[1])
for level in range(${levels}):
    open('file', 'w').write('level %d' % level)
    os.mkdir('${name}')
    os.chdir('${name}')`;
  const look = `import os, sys
os.chdir(sys.argv[1])
for level in range(${levels}):
    print(open('file').read(), os.stat('file').st_mtime_ns, sorted(os.listdir('.')))
    os.chdir('${name}')
print(os.listdir('.'))`;
  python(dig, root);
  const { repository } = await memoryRepository();
  const { problems } = await save(repository, [root]);
  assert.deepEqual(problems, []);
  assert.equal((await save(repository, [root])).problemCount, 0);
  await bringBack(repository, root, target);
  assert.equal(python(look, target), python(look, root));
});
