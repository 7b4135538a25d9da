/** `npm run bench -- NAME [OPTIONS]`: runs one benchmark, each a file `NAME.bench.ts` here. Numbers, no verdicts. */
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runNode } from '../../scripts/run-command.ts';

const ending = '.bench.ts';
const names = globSync(`*${ending}`, { cwd: import.meta.dirname }).map((file) => basename(file, ending));
const [name = '', ...options] = process.argv.slice(2);
if (names.includes(name)) process.exitCode = await runNode(join(import.meta.dirname, name + ending), options);
else {
  process.stderr.write(`usage: npm run bench -- ${names.toSorted().join('|')} [OPTIONS]\n`);
  process.exitCode = 64;
}
