/**
 * `npm run build [-- --only NAME,NAME…] [--with-pkg]`: makes what users get, in dist/. Names: those of the executables in
 * node-targets.json (`agent-linux-x64`, `plugin-darwin-arm64`, …), `image` and `pkg`. What did not change is not built again.
 */
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderError, StorkError } from '../kube/errors.ts';
import manifest from '../package.json' with { type: 'json' };
import { writeAgentImage } from './build/agent-image.ts';
import { ensureArtifact } from './build/artifact-cache.ts';
import { type Bundle, bundleProgram } from './build/bundle.ts';
import { fetchRuntime } from './build/fetch-runtime.ts';
import { makeExecutable } from './build/make-executable.ts';
import { type ExecutableTarget, executables, type ProgramName } from './build/targets.ts';

const root = join(import.meta.dirname, '..');
const dist = (file: string): string => join(root, 'dist', file);
const imageFile = 'stork-agent-image.tar';

/** Each executable takes about 400 MB of memory while it is made. */
const buildsAtOnce = Math.min(2, availableParallelism());

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, 'with-pkg': { type: 'boolean', default: false } },
  });
  assertBuildHost();
  const wanted = planNames(values.only, values['with-pkg']);
  const tools = digestOfTools();
  const targets = executables.filter((target) => wanted.has(target.name));
  const bundles = new Map<string, Promise<Bundle>>();
  const bundleOf = (program: ProgramName, major: 22 | 26) => {
    const key = `${program}-${major}`;
    const bundle = bundles.get(key) ?? bundleProgram(program, major);
    bundles.set(key, bundle);
    return bundle;
  };
  await inParallel(targets, async (target) => {
    await timed(
      target.file,
      async () => await buildExecutable(target, await bundleOf(target.program, target.runtime.major), tools),
    );
    if (target.name === 'agent-linux-x64' && wanted.has('image')) await timed(imageFile, () => buildImage(tools));
  });
  if (wanted.has('image') && !wanted.has('agent-linux-x64')) await timed(imageFile, () => buildImage(tools));
}

function planNames(only: string | undefined, withPkg: boolean): ReadonlySet<string> {
  const known = new Set([...executables.map((target) => target.name), 'image']);
  const names = only === undefined ? [...known] : only.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new StorkError({
      code: 'UnknownTarget',
      message: `There is no ${unknown.join(', ')} to build.`,
      hint: `Known: ${[...known].join(', ')}.`,
    });
  }
  return new Set(withPkg ? [...names, 'pkg'] : names);
}

async function buildExecutable(target: ExecutableTarget, bundle: Bundle, tools: string): Promise<'made' | 'found'> {
  const runtime = await fetchRuntime(target.runtime);
  const key = digest([bundle.digest, runtime.key, tools]);
  return await ensureArtifact({ name: target.file, key, destination: dist(target.file) }, (path) =>
    makeExecutable(target, bundle, path),
  );
}

async function buildImage(tools: string): Promise<'made' | 'found'> {
  const executable = dist('stork-agent-linux-x64');
  const key = digest([readFileSync(executable), tools, manifest.version]);
  return await ensureArtifact({ name: imageFile, key, destination: dist(imageFile) }, (path) =>
    writeAgentImage(path, manifest.version, [{ arch: 'x64', executable, root: '/' }]),
  );
}

/** What makes artifacts is an input of theirs too. */
function digestOfTools(): string {
  const files = [
    ...globSync('scripts/build/*.ts', { cwd: root }),
    'scripts/build.ts',
    'scripts/node-targets.json',
    'package-lock.json',
  ];
  return digest(
    files
      .toSorted()
      .filter((file) => !file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(root, file))),
  );
}

function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 32);
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const lane = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: buildsAtOnce }, lane));
}

async function timed(file: string, run: () => Promise<'made' | 'found'>): Promise<void> {
  const startedMs = performance.now();
  const outcome = await run();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${outcome === 'made' ? 'built    ' : 'unchanged'} dist/${file} (${seconds} s)`);
}

function assertBuildHost(): void {
  if (process.platform === 'linux' && process.arch === 'x64') return;
  throw new StorkError({
    code: 'BuildHostUnsupported',
    message: `Executables are built on linux x64; this is ${process.platform} ${process.arch}.`,
    hint: 'Build in a linux x64 container or machine; the tests need no build.',
  });
}

main().catch((error: unknown) => {
  console.error(`build: ${renderError(error)}`);
  process.exitCode = 1;
});
