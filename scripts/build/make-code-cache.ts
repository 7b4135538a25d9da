/**
 * Started under a target's own Node (same V8 build, same flags) as `node make-code-cache FOLDER chunk…`: loads each chunk
 * of the folder, so that what runs at load is compiled, and writes its V8 code cache beside it as `chunk.cache`.
 * A chunk that can't be loaded outside its place (a worker's) is cached as parsed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createChunkLoader } from './chunk-loader.ts';

const [folder = '.', ...names] = process.argv.slice(2);
const { load, scripts } = createChunkLoader({
  inline: {},
  code: (name) => readFileSync(join(folder, name), 'utf8'),
  cache: () => undefined,
});
for (const name of names) {
  try {
    load(name);
  } catch (error) {
    process.stderr.write(`${name}: cached without having run (${error instanceof Error ? error.message : error})\n`);
  }
}
for (const [name, script] of scripts) writeFileSync(join(folder, `${name}.cache`), script.createCachedData());
process.exit(0);
