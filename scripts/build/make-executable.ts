/** Puts a bundle into a Node runtime: a single executable application for one target, made on linux x64. */
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { runCommand } from '../run-command.ts';
import type { Bundle } from './bundle.ts';
import { fetchRuntime, type PreparedRuntime } from './fetch-runtime.ts';
import { adhocSign } from './macho-signature.ts';
import { builderOf, type ExecutableTarget } from './targets.ts';

/** Flags the program always runs with. NODE_OPTIONS is ignored: a user's shell must not change what we are. */
const programFlags: Readonly<Record<Bundle['program'], readonly string[]>> = {
  // Small young generation: movers and an idle agent live within tight memory limits.
  agent: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4'],
  plugin: ['--disable-warning=ExperimentalWarning', '--disable-warning=DEP0040'],
};

/** The fuse that marks where Node looks for an embedded program; part of Node's documented interface. */
const seaFuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** Writes the executable to `path`. */
export async function makeExecutable(target: ExecutableTarget, bundle: Bundle, path: string): Promise<void> {
  await withInputs(target, bundle, async (inputs) => {
    const output = join(inputs.work, 'program');
    await (target.runtime.major === 26 ? buildSea26 : buildSea22)({ ...inputs, target, output });
    if (target.runtime.os === 'darwin') {
      await writeFile(output, adhocSign(await readFile(output), 'kubectl-stork'), { mode: 0o755 });
    }
    await rename(output, path);
  });
}

/**
 * The same through pkg, which wraps the same steps: a second path that is checked to give a program that works.
 * Its module is called because its command line always asks a site for the Node version.
 */
export async function makeExecutableWithPkg(target: ExecutableTarget, bundle: Bundle, path: string): Promise<void> {
  await withInputs(target, bundle, async ({ config, builder, runtime, work }) => {
    const optionsFile = join(work, 'pkg.json');
    const { platform, arch } = { platform: 'linux', arch: target.runtime.arch };
    const targets = [{ nodeRange: `node${target.runtime.major}`, platform, arch, output: path }];
    await writeFile(
      optionsFile,
      JSON.stringify({ main: config.main, targets, nodePath: runtime.path, seaConfig: config }),
    );
    await runCommand(builder.path, [join(import.meta.dirname, 'run-pkg.cjs'), optionsFile]);
  });
}

interface Inputs {
  readonly config: SeaConfig;
  readonly builder: PreparedRuntime;
  readonly runtime: PreparedRuntime;
  /** A folder that is gone when the executable is there. */
  readonly work: string;
}

/** What `node --build-sea` and `--experimental-sea-config` read. */
interface SeaConfig {
  readonly main: string;
  readonly disableExperimentalSEAWarning: true;
  readonly useCodeCache: false;
  readonly execArgv: readonly string[];
  readonly execArgvExtension: 'none';
  readonly assets: Readonly<Record<string, string>>;
}

async function withInputs(
  target: ExecutableTarget,
  bundle: Bundle,
  run: (inputs: Inputs) => Promise<void>,
): Promise<void> {
  const runtime = await fetchRuntime(target.runtime);
  const builder = await fetchRuntime(builderOf(target.runtime));
  await mkdir(cacheFolder('work'), { recursive: true });
  const work = await mkdtemp(join(cacheFolder('work'), `${target.name}-`));
  try {
    await run({ config: await writeInputs(target, bundle, builder, work), builder, runtime, work });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Names of the code caches that can be made for a target: only its own V8 can make them, and only linux-x64's runs here. */
function cacheableChunks(target: ExecutableTarget, bundle: Bundle): readonly string[] {
  if (target.runtime.os !== 'linux' || target.runtime.arch !== 'x64') return [];
  return Object.keys(bundle.chunks).filter((name) => name !== './main.js');
}

async function writeInputs(
  target: ExecutableTarget,
  bundle: Bundle,
  builder: PreparedRuntime,
  work: string,
): Promise<SeaConfig> {
  const file = (name: string) => join(work, name);
  for (const [name, code] of Object.entries(bundle.chunks)) await writeFile(file(name), code);
  await writeFile(file('program.js'), bundle.main);
  await writeFile(file('worker-loader.js'), bundle.workerLoader);
  const assets = Object.keys(bundle.chunks).filter((name) => name !== './main.js');
  const cached = cacheableChunks(target, bundle);
  if (cached.length > 0) {
    await writeFile(file('make-code-cache.cjs'), bundle.cacheMaker);
    await runCommand(builder.path, [...programFlags[bundle.program], file('make-code-cache.cjs'), work, ...cached]);
  }
  const names = ['worker-loader.js', ...assets, ...cached.map((name) => `${name}.cache`)];
  return {
    main: file('program.js'),
    disableExperimentalSEAWarning: true,
    useCodeCache: false,
    execArgv: programFlags[bundle.program],
    execArgvExtension: 'none',
    assets: Object.fromEntries(names.map((name) => [name, file(name)])),
  };
}

type SeaSteps = Inputs & { readonly target: ExecutableTarget; readonly output: string };

async function buildSea26({ config, builder, runtime, work, output }: SeaSteps): Promise<void> {
  const configFile = join(work, 'sea.json');
  await writeFile(configFile, JSON.stringify({ ...config, executable: runtime.path, output }));
  await runCommand(builder.path, ['--build-sea', configFile]);
}

async function buildSea22({ config, builder, runtime, work, output, target }: SeaSteps): Promise<void> {
  const configFile = join(work, 'sea.json');
  const blob = join(work, 'program.blob');
  await writeFile(configFile, JSON.stringify({ ...config, output: blob }));
  await runCommand(builder.path, ['--experimental-sea-config', configFile]);
  await copyFile(runtime.path, output);
  const postject = createRequire(import.meta.url).resolve('postject/dist/cli.js');
  const segment = target.runtime.os === 'darwin' ? ['--macho-segment-name', 'NODE_SEA'] : [];
  await runCommand(process.execPath, [postject, output, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', seaFuse, ...segment]);
}
