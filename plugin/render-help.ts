/** Help as kubectl prints it: what it does, usage, examples, flags. Pure. */
import type { Command } from './command.ts';
import type { Flag, FlagSet } from './flag.ts';
import { globalFlags } from './global-flags.ts';

const programme = 'kubectl stork';

export function renderCommandHelp(command: Command, width: number): string {
  const usage = [programme, ...command.words.map(([word]) => word), command.positionals.shown, '[flags]'];
  const spellings = command.words.flatMap(([, ...others]) => others);
  const parts = [
    wrap([command.summary, command.explains ?? ''].join(' ').trim(), width, ''),
    section('Aliases', spellings.length === 0 ? '' : `  ${spellings.join(', ')}`),
    section('Examples', command.examples.map((line) => `  ${line}`).join('\n')),
    section('Flags', renderFlags(command.flags, width)),
    section('Usage', `  ${usage.filter((part) => part !== '').join(' ')}`),
    `Use "${programme} options" for the flags of every command.`,
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** The commands below some words; `words` empty: all of them. */
export function renderCommandList(commands: readonly Command[], words: readonly string[], width: number): string {
  const shown = commands.filter(
    (one) => one.hidden === undefined && words.every((word, at) => one.words[at]?.[0] === word),
  );
  const rows = shown.map((one) => [`  ${one.words.map(([word]) => word).join(' ')}`, one.summary] as const);
  const column = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.map(([name, summary]) => hang(name.padEnd(column), summary, { width, column }));
  const about = words.length === 0 ? 'Moves applications between Kubernetes clusters, with any storage.' : '';
  const usage = [programme, ...words, 'COMMAND'].join(' ');
  return [
    ...(about === '' ? [] : [about]),
    section('Commands', lines.join('\n')),
    section('Usage', `  ${usage} [flags]`),
    `Use "${usage} --help" for more about a command, "${programme} options" for the flags of every command.`,
  ].join('\n\n');
}

export function renderGlobalOptions(width: number): string {
  return `The following options can be passed to any command:\n\n${renderFlags(globalFlags, width)}`;
}

function renderFlags(flags: FlagSet, width: number): string {
  const rows = Object.entries(flags)
    .filter(([, flag]) => flag.hidden === undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, flag]) => [renderName(name, flag), renderDescription(flag)] as const);
  const column = Math.min(Math.max(0, ...rows.map(([name]) => name.length)) + 2, 38);
  return rows.map(([name, about]) => hang(name.padEnd(column), about, { width, column })).join('\n');
}

function renderName(name: string, flag: Flag<unknown>): string {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
  const value =
    flag.kind === 'switch' ? '' : flag.bare === undefined ? ` ${placeholderOf(flag)}` : `[=${placeholderOf(flag)}]`;
  return `  ${short}--${name}${value}`;
}

function placeholderOf(flag: Flag<unknown>): string {
  if (flag.value !== undefined) return flag.value;
  return Array.isArray(flag.completes) ? flag.completes.join('|') : 'VALUE';
}

function renderDescription(flag: Flag<unknown>): string {
  return flag.default === undefined || flag.default === ''
    ? flag.describes
    : `${flag.describes} (default ${flag.default})`;
}

function section(title: string, body: string): string {
  return body === '' ? '' : `${title}:\n${body}`;
}

function hang(head: string, body: string, at: { readonly width: number; readonly column: number }): string {
  const start = head.length > at.column ? `${head}\n${' '.repeat(at.column)}` : head;
  return start + wrap(body, Math.max(40, at.width - at.column), ' '.repeat(at.column));
}

function wrap(words: string, width: number, indent: string): string {
  const lines: string[] = [];
  for (const word of words.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${indent}`);
}
