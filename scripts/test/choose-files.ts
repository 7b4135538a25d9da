/** Which test files somebody means by the words of a command line. Pure. */
import { basename, matchesGlob, normalize } from 'node:path';

export type ChosenFiles =
  | { readonly found: 'All'; readonly files: readonly string[] }
  | { readonly found: 'NotAll'; readonly message: string };

const ending = '.test.ts';

/**
 * A word is a file's path, a pattern of paths, or its name with or without `.test.ts`. One that means nothing is a mistake, never "no tests".
 * @param all from the repository's root
 */
export function chooseFiles(words: readonly string[], all: readonly string[]): ChosenFiles {
  const meant = words.map((word) => all.filter((file) => means(word, file)));
  const unknown = words.filter((_, index) => meant[index]?.length === 0);
  if (unknown.length === 0) return { found: 'All', files: [...new Set(meant.flat())] };
  const names = all.map((file) => basename(file, ending)).join(' ');
  return { found: 'NotAll', message: `no test file is ${unknown.join(' or ')}; there are: ${names}` };
}

function means(word: string, file: string): boolean {
  const path = normalize(word);
  const name = basename(file);
  return (
    path === file ||
    path.endsWith(`/${file}`) ||
    matchesGlob(file, path) ||
    [name, basename(name, ending)].includes(path)
  );
}
