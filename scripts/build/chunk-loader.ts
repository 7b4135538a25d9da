/**
 * Runs inside the single executable: gives the program's chunks (see bundle.ts) to `require` by name, from the
 * executable's assets, compiled with V8's code cache where one was shipped. A rejected cache costs time, nothing else.
 * `NODE_DEBUG=stork-chunks` prints each load. No import of ours, as it is pasted in front of the program.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { debuglog } from 'node:util';
import { Script } from 'node:vm';

type Module = { exports: unknown };
type Chunk = (
  exports: unknown,
  require: (name: string) => unknown,
  module: Module,
  filename: string,
  dirname: string,
  metaUrl: string,
) => void;

/** Where chunks come from: the executable's assets, or a folder while the code cache is made. */
export interface ChunkSource {
  readonly code: (name: string) => string;
  readonly cache: (name: string) => Buffer | undefined;
  /** Chunks already compiled into the main script. */
  readonly inline: Readonly<Record<string, Chunk>>;
}

export const chunkParameters = 'exports,require,module,__filename,__dirname,__import_meta_url';

export function createChunkLoader(source: ChunkSource) {
  const debug = debuglog('stork-chunks');
  const requireBuiltin = createRequire(process.execPath);
  const loaded = new Map<string, Module>();
  const scripts = new Map<string, Script>();

  const compile = (name: string): Chunk => {
    const cachedData = source.cache(name);
    const text = `(function(${chunkParameters}){${source.code(name)}\n})`;
    const script = new Script(text, { filename: name, ...(cachedData === undefined ? {} : { cachedData }) });
    scripts.set(name, script);
    debug(
      '%s: code cache %s',
      name,
      cachedData === undefined ? 'none' : script.cachedDataRejected ? 'rejected' : 'accepted',
    );
    return script.runInThisContext() as Chunk;
  };

  const load = (name: string): unknown => {
    if (!name.startsWith('./')) return requireBuiltin(name);
    const known = loaded.get(name);
    if (known !== undefined) return known.exports;
    const module: Module = { exports: {} };
    loaded.set(name, module);
    const chunk = source.inline[name] ?? compile(name);
    chunk(module.exports, load, module, process.execPath, '/', pathToFileURL(process.execPath).href);
    return module.exports;
  };

  return { load, scripts };
}
