/**
 * From words to a command and its arguments, by kubectl's habits: flags anywhere, `-n x`, `-nx`, `-n=x`, `-Aw`, `--x=y`,
 * `--` ends them, Stork's `--camelCase` is `--camel-case`. Pure.
 */
import { Parser } from 'yargs/helpers';
import { StorkError } from '../kube/errors.ts';
import type { Command, GivenArguments } from './command.ts';
import type { Flag, FlagSet } from './flag.ts';
import { globalFlags } from './global-flags.ts';

export type ParsedLine =
  | { readonly kind: 'run'; readonly command: Command; readonly given: GivenArguments }
  /** `words` are those that matched so far. */
  | { readonly kind: 'help'; readonly words: readonly string[]; readonly command: Command | undefined };

/** @throws StorkError `BadUsage` naming the word or flag */
export function parseCommandLine(commands: readonly Command[], argv: readonly string[]): ParsedLine {
  const { command, words, rest, candidates } = findCommand(commands, argv);
  if (command === undefined) {
    const asksForHelp = rest.some((word) => word === '-h' || word === '--help' || word === 'help');
    const stray = rest.find((word) => !word.startsWith('-'));
    if (stray !== undefined && stray !== 'help') throw unknownCommand(words, stray, candidates);
    const flag = rest.find((word) => word.startsWith('-'));
    if (flag !== undefined && !asksForHelp && isUnknown(flag, candidates)) throw unknownFlag(flag, words);
    return { kind: 'help', words, command: undefined };
  }
  const given = parseArguments({ ...globalFlags, ...command.flags }, rest, words);
  if (given.flags.get('help')?.at(-1) === 'true') return { kind: 'help', words, command };
  checkCount(command, given, words);
  return { kind: 'run', command, given };
}

interface Found {
  readonly command: Command | undefined;
  readonly words: readonly string[];
  /** Everything but the command's words, in order. */
  readonly rest: readonly string[];
  readonly candidates: readonly Command[];
}

/** Walks the words until they name one command; what its flags take as values is not a word. */
export function findCommand(commands: readonly Command[], argv: readonly string[]): Found {
  const words: string[] = [];
  const rest: string[] = [];
  let candidates: readonly Command[] = commands;
  for (let at = 0; at < argv.length; at += 1) {
    const token = argv[at] ?? '';
    if (token === '--') return { command: undefined, words, rest: [...rest, ...argv.slice(at)], candidates };
    if (token.startsWith('-') && token !== '-') {
      rest.push(token);
      const next = argv[at + 1];
      if (next !== undefined && takesNext(token, flagsOf(candidates))) {
        rest.push(next);
        at += 1;
      }
      continue;
    }
    const narrowed = candidates.filter((one) => one.words[words.length]?.includes(token));
    if (narrowed.length === 0) return { command: undefined, words, rest: [...rest, ...argv.slice(at)], candidates };
    words.push(narrowed[0]?.words[words.length]?.[0] ?? token);
    candidates = narrowed;
    const complete = candidates.find((one) => one.words.length === words.length);
    if (complete !== undefined) {
      return { command: complete, words, rest: [...rest, ...argv.slice(at + 1)], candidates: [complete] };
    }
  }
  return { command: undefined, words, rest, candidates };
}

/** Every flag becomes `--name=value`; yargs then splits, under the settings that keep `123` and `x.y` texts. */
function parseArguments(flags: FlagSet, tokens: readonly string[], words: readonly string[]): GivenArguments {
  const { plain, literal } = spellOut(flags, tokens, words);
  const known = Object.keys(flags);
  const parsed = Parser(plain, {
    string: known,
    configuration: {
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    },
  });
  const given = known.map((name) => [name, [parsed[name] ?? []].flat().map(String)] as const);
  return {
    positionals: [...parsed._.map(String), ...literal],
    flags: new Map(given.filter(([, texts]) => texts.length > 0)),
  };
}

interface SpelledOut {
  readonly plain: string[];
  /** What stood after `--`. */
  readonly literal: readonly string[];
}

function spellOut(flags: FlagSet, tokens: readonly string[], words: readonly string[]): SpelledOut {
  const plain: string[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] ?? '';
    if (token === '--') return { plain, literal: tokens.slice(at + 1) };
    if (!token.startsWith('-') || token === '-') {
      plain.push(token);
      continue;
    }
    for (const { name, flag, attached } of splitToken(flags, token, words)) {
      if (attached !== undefined) plain.push(`--${name}=${attached}`);
      else if (flag.bare !== undefined) plain.push(`--${name}=${flag.bare}`);
      else if (flag.kind === 'switch') plain.push(`--${name}=true`);
      else {
        at += 1;
        const value = tokens[at];
        if (value === undefined) throw badUsage(`flag needs an argument: --${name}`, words);
        plain.push(`--${name}=${value}`);
      }
    }
  }
  return { plain, literal: [] };
}

interface OneFlag {
  readonly name: string;
  readonly flag: Flag<unknown>;
  /** The value in the same token, if any. */
  readonly attached: string | undefined;
}

function splitToken(flags: FlagSet, token: string, words: readonly string[]): readonly OneFlag[] {
  const equals = token.indexOf('=');
  const head = equals === -1 ? token : token.slice(0, equals);
  const attached = equals === -1 ? undefined : token.slice(equals + 1);
  if (head.startsWith('--')) {
    const name = kebab(head.slice(2));
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) throw unknownFlag(token, words);
    return [{ name, flag, attached }];
  }
  const found: OneFlag[] = [];
  for (let at = 1; at < head.length; at += 1) {
    const letter = head.slice(at, at + 1);
    // The command's own flags come after those of every command, and win.
    const [name, flag] = Object.entries(flags).findLast(([, one]) => one.short === letter) ?? [];
    if (name === undefined || flag === undefined)
      throw badUsage(`unknown shorthand flag: '${letter}' in ${head}`, words);
    const tail = head.slice(at + 1);
    if (flag.kind === 'value' && flag.bare === undefined && tail !== '') {
      return [...found, { name, flag, attached: attached === undefined ? tail : `${tail}=${attached}` }];
    }
    found.push({ name, flag, attached: tail === '' ? attached : undefined });
  }
  return found;
}

function takesNext(token: string, flags: readonly (readonly [string, Flag<unknown>])[]): boolean {
  if (token.includes('=')) return false;
  const long = token.startsWith('--') ? kebab(token.slice(2)) : undefined;
  const short = long === undefined ? token.slice(1, 2) : undefined;
  const found = flags.find(([name, flag]) => (long === undefined ? flag.short === short : name === long));
  return (
    found !== undefined &&
    found[1].kind === 'value' &&
    found[1].bare === undefined &&
    (long !== undefined || token.length === 2)
  );
}

function flagsOf(commands: readonly Command[]): readonly (readonly [string, Flag<unknown>])[] {
  return [...Object.entries(globalFlags), ...commands.flatMap((command) => Object.entries(command.flags))];
}

function kebab(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function checkCount(command: Command, { positionals }: GivenArguments, words: readonly string[]): void {
  const { min, max, shown } = command.positionals;
  if (positionals.length < min) throw badUsage(`${words.join(' ')} needs ${shown}`, words);
  if (positionals.length > max) throw badUsage(`unexpected argument "${positionals[max] ?? ''}"`, words);
}

function isUnknown(token: string, candidates: readonly Command[]): boolean {
  const head = token.split('=')[0] ?? '';
  return !flagsOf(candidates).some(
    ([name, flag]) => `--${name}` === `--${kebab(head.slice(2))}` || `-${flag.short}` === head.slice(0, 2),
  );
}

function unknownCommand(words: readonly string[], stray: string, candidates: readonly Command[]): StorkError {
  const at = words.length;
  const known = [
    ...new Set(candidates.filter((one) => one.hidden === undefined).flatMap((one) => one.words[at] ?? [])),
  ];
  const close = known.filter((word) => isClose(word, stray));
  const asked = close.length === 0 ? '' : `\n\nDid you mean this?\n${close.map((word) => `\t${word}`).join('\n')}`;
  const where = ['kubectl stork', ...words].join(' ');
  return badUsage(`unknown command "${stray}" for "${where}"${asked}`, words);
}

function unknownFlag(token: string, words: readonly string[]): StorkError {
  return badUsage(`unknown flag: ${token.split('=')[0] ?? token}`, words);
}

function badUsage(message: string, words: readonly string[]): StorkError {
  const hint = `See '${['kubectl stork', ...words].join(' ')} --help' for usage.`;
  return new StorkError({ code: 'BadUsage', message, hint });
}

/** At most two letters differ (Levenshtein), or one starts with the other. */
function isClose(word: string, given: string): boolean {
  if (given.length > 1 && (word.startsWith(given) || given.startsWith(word))) return true;
  let row = Array.from({ length: given.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...word].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...given].entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return (row.at(-1) ?? Number.POSITIVE_INFINITY) <= 2;
}
