/**
 * `npm run tidy [-- --notes]`: style as a test. Prints each finding as `path:line rule: message`; exits 1 when there is any.
 * `--notes` also prints exports that only their own file uses; they are no fault.
 */
import { join } from 'node:path';
import { applyRules, findUnusedExports, isExcused } from './tidy/rules.ts';
import { readProject } from './tidy/source-facts.ts';

const root = join(import.meta.dirname, '..');
const files = readProject(join(root, 'tsconfig.json'), root);
const texts = new Map(files.map(({ path, text }) => [path, text]));
const { dead, needless } = findUnusedExports(files);
const findings = [
  ...files.flatMap(applyRules),
  ...dead.filter(({ path, rule }) => !isExcused({ text: texts.get(path) ?? '' }, rule)),
];
const shown = process.argv.includes('--notes') ? [...findings, ...needless] : findings;
for (const { path, line, rule, message } of shown) console.log(`${path}:${line} ${rule}: ${message}`);
console.log(`tidy: ${files.length} files, ${findings.length} findings, ${needless.length} needless exports`);
process.exitCode = findings.length === 0 ? 0 : 1;
