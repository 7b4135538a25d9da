/** Runs the built files of dist/ as users get them, each as far as this machine can. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import manifest from '../../package.json' with { type: 'json' };
import { neededLibraries } from '../../scripts/build/absorb-libatomic.ts';
import { ensureForeignRoot } from '../../scripts/build/foreign-root.ts';
import { readAdhocSignature } from '../../scripts/build/read-adhoc-signature.ts';

const dist = (file: string): string => join(import.meta.dirname, '../../dist', file);
const isRoot = process.getuid?.() === 0;

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', ...env },
  });
  return { code: status, stdout, stderr };
}

const version: Ran = { code: 0, stdout: `${manifest.version}\n`, stderr: '' };

for (const file of ['stork-agent-linux-x64', 'kubectl-stork-linux-x64']) {
  describe(file, () => {
    it('tells its version, and nothing else', () => {
      assert.deepEqual(run(dist(file), ['--version']), version);
    });

    it('needs no library that a slim system lacks', () => {
      const usual =
        /^(libdl\.so\.2|libm\.so\.6|libstdc\+\+\.so\.6|libgcc_s\.so\.1|libpthread\.so\.0|libc\.so\.6|ld-linux-x86-64\.so\.2)$/;
      assert.deepEqual(
        neededLibraries(readFileSync(dist(file))).filter((name) => !usual.test(name)),
        [],
      );
    });

    it("takes no orders from a shell's NODE_OPTIONS", () => {
      assert.deepEqual(run(dist(file), ['--version'], { NODE_OPTIONS: '--no-such-option' }), version);
    });

    it('starts its command line from the code cache it carries', () => {
      const { stderr } = run(dist(file), ['no-such-command'], { NODE_DEBUG: 'stork-chunks' });
      const loads = stderr.split('\n').filter((line) => line.startsWith('STORK-CHUNKS'));
      assert.ok(loads.length > 0, stderr);
      assert.deepEqual(
        loads.filter((line) => !line.endsWith('code cache accepted')),
        [],
      );
    });
  });
}

describe('stork-agent-image.tar', () => {
  let root = '';
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'stork-image-'));
    await mkdir(join(root, 'image'));
    execFileSync('tar', ['-xf', dist('stork-agent-image.tar'), '-C', join(root, 'image')]);
    await mkdir(join(root, 'root'));
    const [image] = JSON.parse(await readFile(join(root, 'image/manifest.json'), 'utf8'));
    for (const layer of image.Layers)
      execFileSync('tar', ['-xf', join(root, 'image', layer), '-C', join(root, 'root')]);
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('has neither a shell nor libatomic', () => {
    for (const path of ['bin/sh', 'usr/bin', 'lib/x86_64-linux-gnu/libatomic.so.1', 'usr/lib']) {
      assert.equal(existsSync(join(root, 'root', path)), false, path);
    }
  });

  it('runs the agent as nobody on nothing but its own files', { skip: isRoot ? false : 'chroot needs root' }, () => {
    const args = ['--userspec=65532:65532', join(root, 'root'), '/usr/local/bin/stork-agent', '--version'];
    assert.deepEqual(run('chroot', args), version);
  });

  it('carries the certificate authorities that Node ships', async () => {
    const bundle = await readFile(join(root, 'root/etc/ssl/certs/ca-certificates.crt'), 'utf8');
    assert.ok(bundle.split('BEGIN CERTIFICATE').length > 100);
  });
});

describe('executables for linux arm64', async () => {
  const emulator = spawnSync('qemu-aarch64', ['--version']).status === 0;
  const libraries = emulator ? await ensureForeignRoot('arm64').catch(() => undefined) : undefined;
  const skip = libraries === undefined ? 'needs qemu-aarch64 and the libraries of an arm64 system' : false;
  for (const file of ['stork-agent-linux-arm64', 'kubectl-stork-linux-arm64']) {
    it(`${file} runs in an emulator without libatomic`, { skip }, () => {
      assert.deepEqual(run('qemu-aarch64', ['-L', libraries ?? '', dist(file), '--version']), version);
    });
  }

  it('stork-agent-linux-arm64 reads a tree as the one for x64 does, by system calls of its own', { skip }, async () => {
    const tree = await mkdtemp(join(tmpdir(), 'stork-arm64-'));
    try {
      await mkdir(join(tree, 'a/b'), { recursive: true });
      for (const [file, sizeBytes] of Object.entries({ 'a/small': 10, 'a/b/larger': 30_000, empty: 0 }))
        await writeFile(join(tree, file), Buffer.alloc(sizeBytes, file));
      await symlink('b', join(tree, 'a/link'));
      const digest = ['mover', 'digest', tree];
      const [arm64, x64] = [
        run('qemu-aarch64', ['-L', libraries ?? '', dist('stork-agent-linux-arm64'), ...digest]),
        run(dist('stork-agent-linux-x64'), digest),
      ].map(({ stdout, stderr }) => ({ ...JSON.parse(stdout), parts: undefined, stderr }));
      assert.deepEqual(arm64, x64);
      assert.equal(x64.files, 7);
    } finally {
      await rm(tree, { recursive: true });
    }
  });
});

describe('executables for macOS', () => {
  for (const file of ['kubectl-stork-darwin-x64', 'kubectl-stork-darwin-arm64']) {
    it(`${file} has an ad-hoc signature that fits every page`, async () => {
      const program = await readFile(dist(file));
      const { identifier, codeLimit, sizeBytes, pageDigests } = readAdhocSignature(program);
      assert.equal(identifier, 'kubectl-stork');
      assert.equal(codeLimit + sizeBytes, program.length);
      assert.equal(pageDigests.length, Math.ceil(codeLimit / 4096));
      const wrong = pageDigests.findIndex(
        (digest, page) => digest !== sha256(program.subarray(page * 4096, Math.min((page + 1) * 4096, codeLimit))),
      );
      assert.equal(wrong, -1);
    });
  }
});

describe('executables for Windows', () => {
  for (const [file, machine] of [
    ['kubectl-stork-windows-x64.exe', 0x8664],
    ['kubectl-stork-windows-arm64.exe', 0xaa64],
  ] as const) {
    it(`${file} is a console program for its machine and carries ours`, async () => {
      const program = await readFile(dist(file));
      const header = program.readUInt32LE(0x3c);
      assert.equal(program.toString('latin1', header, header + 4), 'PE\0\0');
      assert.equal(program.readUInt16LE(header + 4), machine);
      const consoleSubsystem = 3;
      assert.equal(program.readUInt16LE(header + 24 + 68), consoleSubsystem);
      assert.ok(
        program.includes('NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1'),
        'the fuse that makes Node look for a program is set',
      );
    });
  }
});

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
