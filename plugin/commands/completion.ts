/**
 * Shell completion. kubectl (≥ 1.26) asks an executable `kubectl_complete-stork` on PATH, with the words so far, for lines
 * `value<TAB>description` and a last line `:4` (no file names). krew links one binary only, so `completion install` writes it.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StorkError } from '../../kube/errors.ts';
import { defineCommand } from '../command.ts';
import { text } from '../flag.ts';

const script = '#!/bin/sh\n# Completion of kubectl stork, asked by kubectl.\nexec kubectl-stork __complete "$@"\n';

export const completion = defineCommand({
  words: [['completion']],
  summary: 'Prints or installs what kubectl needs to complete `kubectl stork`.',
  positionals: { shown: '[install]', min: 0, max: 1, completes: ['install'] },
  flags: { directory: text({ describes: 'Where to install it: a folder of your PATH.', value: 'FOLDER' }) },
  examples: [
    'kubectl stork completion install --directory ~/.local/bin',
    'kubectl stork completion > ~/.local/bin/kubectl_complete-stork',
  ],
  async run(context, { positionals: [word], flags }) {
    if (word === undefined) {
      context.ambient.stdout.write(script);
      return 0;
    }
    if (word !== 'install') {
      throw new StorkError({
        code: 'BadUsage',
        message: `unexpected argument "${word}"`,
        hint: "The only word here is 'install'.",
      });
    }
    const file = join(flags.directory ?? defaultFolder(context.ambient.env), 'kubectl_complete-stork');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, script);
    await chmod(file, 0o755);
    context.print(`Wrote ${file}`);
    return 0;
  },
});

function defaultFolder(env: Readonly<Record<string, string | undefined>>): string {
  const home = env.HOME ?? env.USERPROFILE;
  if (home !== undefined) return join(home, '.local', 'bin');
  throw new StorkError({
    code: 'BadUsage',
    message: 'there is no home folder',
    hint: 'Name a folder of your PATH: --directory FOLDER',
  });
}
