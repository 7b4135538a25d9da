/**
 * Turns a program's TypeScript into CommonJS chunks for the single executable: one for its main.ts, one for each worker
 * entry, and one for whatever is reached only by `import()` or shared, so that a command loads no more than it uses.
 * esbuild splits ES modules only; each of its chunks is then turned into CommonJS, with `import()` becoming `require`.
 */
import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build, type OutputFile, transform } from 'esbuild';
import { chunkParameters } from './chunk-loader.ts';
import type { ProgramName } from './targets.ts';

export interface Bundle {
  readonly program: ProgramName;
  /** CommonJS source by chunk name (`./main.js`). */
  readonly chunks: Readonly<Record<string, string>>;
  /** The executable's main script: the loader, with main and what it imports at once compiled in. */
  readonly main: string;
  /** The script that worker threads start with; defines `loadChunk`. */
  readonly workerLoader: string;
  /** Started under a target's Node, makes the code cache. */
  readonly cacheMaker: string;
  /** Digest over all of the above. */
  readonly digest: string;
}

const root = join(import.meta.dirname, '../..');
const common = { platform: 'node', minifyWhitespace: true, minifySyntax: true, legalComments: 'none' } as const;

/** @param major the Node version it will run on */
export async function bundleProgram(program: ProgramName, major: 22 | 26): Promise<Bundle> {
  const target = `node${major}`;
  const split = await build({
    ...common,
    target,
    entryPoints: entryPoints(program),
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: 'esm',
    outdir: join(root, 'dist'),
    chunkNames: 'chunk-[hash]',
    write: false,
    metafile: true,
    logLevel: 'error',
    define: {
      'import.meta.url': '__import_meta_url',
      'import.meta.filename': '__filename',
      'import.meta.dirname': '__dirname',
    },
  });
  const converted = await Promise.all(split.outputFiles.map((file) => toCommonJs(file, target)));
  const chunks = Object.fromEntries(converted.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const eager = eagerChunks(importsOf(split.metafile.outputs), './main.js');
  const seaEntry = await helper('sea-entry.ts', target, 'seaEntry');
  const makeLoader = (inline: string) => `${seaEntry}\nconst loadChunk=seaEntry.seaChunkLoader(${inline});\n`;
  const inline = eager.map((name) => `${JSON.stringify(name)}:function(${chunkParameters}){${chunks[name]}\n}`);
  const parts = {
    chunks,
    main: `${makeLoader(`{${inline.join(',\n')}}`)}loadChunk('./main.js');\n`,
    workerLoader: makeLoader('{}'),
    cacheMaker: await helper('make-code-cache.ts', target),
  };
  return { program, ...parts, digest: createHash('sha256').update(JSON.stringify(parts)).digest('hex') };
}

/** The chunks that loading `entry` loads at once: its static imports and theirs. Import records come from esbuild's metafile. */
export function eagerChunks(imports: ReadonlyMap<string, readonly string[]>, entry: string): readonly string[] {
  const found = new Set([entry]);
  for (const name of found) for (const next of imports.get(name) ?? []) found.add(next);
  return [...found];
}

function entryPoints(program: ProgramName): Record<string, string> {
  const exclude = [`${program}/**/testing/**`];
  const workers = globSync([`${program}/**/worker.ts`, `${program}/**/*-worker.ts`], { cwd: root, exclude });
  const named = workers.map((path) => [
    path.slice(program.length + 1, -'.ts'.length).replaceAll('/', '-'),
    join(root, path),
  ]);
  return {
    main: join(root, program, 'main.ts'),
    ...Object.fromEntries(named.filter(([name]) => name !== 'start-worker')),
  };
}

type Outputs = Readonly<
  Record<
    string,
    { readonly imports: readonly { readonly path: string; readonly kind: string; readonly external?: boolean }[] }
  >
>;

function importsOf(outputs: Outputs): ReadonlyMap<string, readonly string[]> {
  return new Map(
    Object.entries(outputs).map(([path, output]) => [
      `./${basename(path)}`,
      output.imports
        .filter((i) => i.kind === 'import-statement' && i.external !== true)
        .map((i) => `./${basename(i.path)}`),
    ]),
  );
}

async function toCommonJs(file: OutputFile, target: string): Promise<[string, string]> {
  const { code } = await transform(file.text, {
    platform: 'node',
    format: 'cjs',
    target,
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    supported: { 'dynamic-import': false },
  });
  return [`./${basename(file.path)}`, code];
}

async function helper(file: string, target: string, globalName?: string): Promise<string> {
  const result = await build({
    ...common,
    target,
    entryPoints: [join(import.meta.dirname, file)],
    bundle: true,
    write: false,
    format: globalName === undefined ? 'cjs' : 'iife',
    ...(globalName === undefined ? {} : { globalName }),
  });
  return result.outputFiles[0]?.text ?? '';
}
