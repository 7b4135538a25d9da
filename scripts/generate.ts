/**
 * Writes the files that are made from code: `node scripts/generate.ts`. With `--check` it writes nothing, prints what
 * would change and exits 1 when there is any.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { generateCommandDocs } from './generate/generate-command-docs.ts';
import { generateCrds } from './generate/generate-crds.ts';
import { generateDriverMatrix } from './generate/generate-driver-matrix.ts';
import { generateErrors } from './generate/generate-errors.ts';
import { generateStates } from './generate/generate-states.ts';

/** A generator owns every file of its folder that ends so: what it no longer makes is deleted. */
export interface Generator {
  readonly name: string;
  readonly owns: { readonly folder: string; readonly ending: string };
  /** Path (from the repository's root) → content. Pure. */
  generate(): ReadonlyMap<string, string>;
}

const generators: readonly Generator[] = [
  generateCrds(),
  generateCommandDocs(),
  generateDriverMatrix(),
  generateErrors(),
  generateStates(),
];

const root = join(import.meta.dirname, '..');

interface Change {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

const changes = (await Promise.all(generators.map(findChanges))).flat();

if (process.argv.includes('--check')) {
  for (const change of changes) console.log(renderChange(change));
  if (changes.length > 0) {
    console.error(`${changes.length} generated files are out of date: run npm run generate`);
    process.exitCode = 1;
  }
} else {
  for (const { path, after } of changes) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    if (after === undefined) await rm(file);
    else await writeFile(file, after);
    console.log(`${after === undefined ? 'deleted' : 'wrote'} ${path}`);
  }
}

async function findChanges({ owns, generate }: Generator): Promise<readonly Change[]> {
  const wanted = generate();
  const present = await filesOf(owns.folder, owns.ending);
  const paths = [...new Set([...wanted.keys(), ...present])].sort();
  const all = await Promise.all(
    paths.map(async (path) => ({
      path,
      before: present.includes(path) ? await readFile(join(root, path), 'utf8') : undefined,
      after: wanted.get(path),
    })),
  );
  return all.filter(({ before, after }) => before !== after);
}

async function filesOf(folder: string, ending: string): Promise<readonly string[]> {
  const absolute = join(root, folder);
  await mkdir(absolute, { recursive: true });
  const entries = await readdir(absolute, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** The first lines that differ are enough to see which source changed. */
function renderChange({ path, before, after }: Change): string {
  if (before === undefined) return `+++ ${path} (missing)`;
  if (after === undefined) return `--- ${path} (no longer generated)`;
  const old = before.split('\n');
  const fresh = after.split('\n');
  const first = fresh.findIndex((line, index) => line !== old[index]);
  const at = first === -1 ? fresh.length : first;
  const lines = [
    ...old.slice(at, at + 5).map((line) => `-${line}`),
    ...fresh.slice(at, at + 5).map((line) => `+${line}`),
  ];
  return [`--- ${path}:${at + 1}`, ...lines].join('\n');
}
