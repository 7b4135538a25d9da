/** The examples beside this file, for the two tests that hold our checks and the API server's to one verdict. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';

export interface Example {
  /** `migration/refused-typo`. */
  readonly name: string;
  readonly file: string;
  /** A text the refusal contains; `undefined` for an accepted one. */
  readonly refusal: string | undefined;
  /** Applied in order; the last one decides. */
  readonly documents: readonly unknown[];
}

/** @throws Error for a `refused-…` file that doesn't say with which message. */
export async function readExamples(folder: string): Promise<readonly Example[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'));
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Promise.all(
    paths.map(async (file) => {
      const text = await readFile(file, 'utf8');
      const refusal = /^# refused: (.+)$/m.exec(text)?.[1];
      if (basename(file).startsWith('refused-') !== (refusal !== undefined))
        throw new Error(`${file}: no # refused: line`);
      const documents = parseAllDocuments(text).map((document): unknown => document.toJS());
      return { name: relative(folder, file).replace('.yaml', ''), file, refusal, documents };
    }),
  );
}
