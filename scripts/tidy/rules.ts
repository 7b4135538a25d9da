/**
 * tidy: todo-without-issue because it names the word it looks for.
 * The rules of tidy. Each looks at one file's facts (dead exports: at all) and names what it finds. Pure. Limits and arrows
 * are those of docs/architecture.md; a file may be exempt from one rule by a line `tidy: RULE because REASON` in its first comment.
 */
import { dirname, join } from 'node:path';
import type { SourceFacts } from './source-facts.ts';

export interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export type Rule = (file: SourceFacts) => readonly Omit<Finding, 'rule' | 'path'>[];

/** A factory's methods have their own limit; with them it may be twice as long. */
export const limits = { fileLines: 400, functionLines: 70, factoryLines: 140 } as const;

/** Parts of agent/ that features may build on; all other folders there are features. */
const services = ['resources', 'rule', 'mover', 'objectstore', 'repository', 'peer', 'observe', 'requester'];

/** Top-level folder → top-level folders it may import. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  plugin: ['plugin', 'crds', 'kube'],
  agent: ['agent', 'drivers', 'crds', 'kube'],
  drivers: ['drivers', 'crds', 'kube'],
  kube: ['kube', 'crds'],
  crds: ['crds'],
  krew: ['krew'],
  scripts: ['scripts', 'krew', 'crds', 'kube', 'drivers', 'agent', 'plugin'],
  test: ['test', 'scripts', 'krew', 'crds', 'kube', 'drivers', 'agent', 'plugin', 'examples'],
};

const driverNames = /\b(pxd|portworx|longhorn|linstor|storageos|ceph)\b/i;

const ambientNames =
  /^(process\.env|Date\.now|new Date\(\)|Date\(\)|Math\.random|setTimeout(\(\))?|setInterval(\(\))?|console(\..*)?)$/;
const ambientAllowed = ['agent/main.ts', 'plugin/main.ts', 'kube/clock.ts'];

const mockNames =
  /^(mock\.(module|method|fn|getter|setter|property)|(t|context|test)\.mock|sinon\..*|vi\..*|jest\..*)$/;

const vagueNames = /^(utils?|helpers?|common|manager|handle|process|data|info|misc)$/;

/** Suites that several implementations run: functions made of `describe` and `it`. */
const isSuiteFile = (path: string): boolean => /[./-](conformance|suite)[./]/.test(path);

const isTest = (path: string): boolean =>
  /\.(test|conformance)\.ts$/.test(path) || isSuiteFile(path) || path.startsWith('test/');
const isExempt = (path: string): boolean => isTest(path) || path.startsWith('scripts/');

export const rules: Readonly<Record<string, Rule>> = {
  'file-length': (file) =>
    file.lineCount <= limits.fileLines
      ? []
      : [{ line: 1, message: `${file.lineCount} lines; at most ${limits.fileLines}` }],

  'function-length': (file) =>
    file.functions
      .filter(({ isSuite }) => !isSuite && !isSuiteFile(file.path))
      .flatMap(({ name, line, lineCount, ownLineCount }) => {
        const own = `${name} has ${ownLineCount} lines; at most ${limits.functionLines}`;
        if (ownLineCount > limits.functionLines) return [{ line, message: own }];
        const message = `${name} with what is inside it has ${lineCount} lines; at most ${limits.factoryLines}`;
        return lineCount > limits.factoryLines ? [{ line, message }] : [];
      }),

  'import-arrows': (file) =>
    file.imports.flatMap(({ specifier, line }) => {
      const refusal = specifier.startsWith('.')
        ? decideArrow(file.path, join(dirname(file.path), specifier))
        : undefined;
      return refusal === undefined ? [] : [{ line, message: refusal }];
    }),

  'ambient-calls': (file) => {
    if (isExempt(file.path) || ambientAllowed.includes(file.path)) return [];
    const timers = file.imports.filter(({ specifier }) => /^(node:)?timers(\/promises)?$/.test(specifier));
    return [
      ...file.uses
        .filter(({ name }) => ambientNames.test(name))
        .map(({ name, line }) => ({ line, message: `${name}: take it by parameter` })),
      ...timers.map(({ line, specifier }) => ({ line, message: `${specifier}: take a Clock by parameter` })),
    ];
  },

  'driver-names': (file) =>
    isExempt(file.path) || file.path.startsWith('drivers/')
      ? []
      : linesMatching(file.text, driverNames, (word) => `names the storage system ${word}; ask the driver instead`),

  'todo-without-issue': (file) =>
    linesMatching(file.text, /\b(TODO|FIXME)\b(?!\(#\d+\))/, (word) => `${word} without an issue number in brackets`),

  'default-export': (file) =>
    file.exports
      .filter(({ name }) => name === 'default')
      .map(({ line }) => ({ line, message: 'default export; give it its name' })),

  mocks: (file) =>
    file.uses
      .filter(({ name }) => mockNames.test(name))
      .map(({ name, line }) => ({ line, message: `${name}: use a fake that passes the real thing's suite` })),

  'vague-name': (file) => {
    const parts = file.path.replace(/(\.test|\.conformance)?\.ts$/, '').split('/');
    return parts
      .filter((part) => vagueNames.test(part))
      .map((part) => ({ line: 1, message: `"${part}" says nothing about what is in it` }));
  },
};

/** Why `from` may not import `to` (both from the repository's root), or undefined when it may. */
export function decideArrow(from: string, to: string): string | undefined {
  const [fromTop = '', fromPart = ''] = from.split('/');
  const [toTop = '', toPart = ''] = to.split('/');
  if (!to.includes('/')) return undefined;
  if (toTop === 'test' && fromTop !== 'test')
    return from.endsWith('.conformance.ts') ? undefined : `imports ${to}; nothing imports test/`;
  if (isTest(from)) return undefined;
  if (!(arrows[fromTop] ?? []).includes(toTop)) return `${fromTop}/ may not import ${toTop}/ (${to})`;
  if (fromTop === 'agent' && toTop === 'agent') return decideFeatureArrow({ from, fromPart, to, toPart });
  if (fromTop === 'drivers' && toTop === 'drivers') return decideDriverArrow({ from, fromPart, to, toPart });
  return undefined;
}

interface InnerArrow {
  readonly from: string;
  readonly fromPart: string;
  readonly to: string;
  readonly toPart: string;
}

const isFile = (part: string): boolean => part.endsWith('.ts');

function decideFeatureArrow({ fromPart, to, toPart }: InnerArrow): string | undefined {
  if (isFile(fromPart) || isFile(toPart) || fromPart === toPart || services.includes(toPart)) return undefined;
  return services.includes(fromPart)
    ? `the service agent/${fromPart} imports the feature ${to}`
    : `features meet only through objects: agent/${fromPart} imports ${to}`;
}

function decideDriverArrow({ fromPart, to, toPart }: InnerArrow): string | undefined {
  if (
    isFile(fromPart) ||
    isFile(toPart) ||
    fromPart === toPart ||
    fromPart === 'conformance' ||
    toPart === 'conformance'
  )
    return undefined;
  return `one driver imports another: ${to}`;
}

export interface UnusedExports {
  /** Used nowhere, not even in their own file. */
  readonly dead: readonly Finding[];
  /** Used in their own file only. */
  readonly needless: readonly Finding[];
}

/** Exports that no file imports. */
export function findUnusedExports(files: readonly SourceFacts[]): UnusedExports {
  const used = new Set(
    files.flatMap((file) =>
      file.imports.flatMap((i) => i.names.map((name) => `${resolve(file.path, i.specifier)} ${name}`)),
    ),
  );
  const unused = files.flatMap((file) =>
    (isDoor(file.path) ? [] : file.exports)
      .filter(({ name }) => !used.has(`${file.path} ${name}`) && !used.has(`${file.path} *`))
      .map(({ name, line }) => ({ path: file.path, line, name, isDead: !occursTwice(file.text, name) })),
  );
  return {
    dead: unused
      .filter(({ isDead }) => isDead)
      .map(({ path, line, name }) => ({ rule: 'dead-export', path, line, message: `nothing uses ${name}` })),
    needless: unused
      .filter(({ isDead }) => !isDead)
      .map(({ path, line, name }) => ({ rule: 'needless-export', path, line, message: `only this file uses ${name}` })),
  };
}

/** A folder's public door lists what may be used, not what is. */
const isDoor = (path: string): boolean => path.endsWith('/index.ts');

const occursTwice = (text: string, name: string): boolean =>
  (text.match(new RegExp(`(?<![\\w$])${name.replaceAll('$', '\\$')}(?![\\w$])`, 'g')) ?? []).length > 1;

/** All findings of the per-file rules, without those a file is exempt from. */
export function applyRules(file: SourceFacts): readonly Finding[] {
  return Object.entries(rules).flatMap(([rule, find]) =>
    isExcused(file, rule) ? [] : find(file).map((finding) => ({ rule, path: file.path, ...finding })),
  );
}

/** True when the file's first comment says `tidy: RULE because REASON`. */
export function isExcused(file: Pick<SourceFacts, 'text'>, rule: string): boolean {
  const comment = /^\s*(\/\*[\s\S]*?\*\/|(\/\/.*\n)+)/.exec(file.text)?.[0] ?? '';
  return new RegExp(`tidy: ${rule} because \\S`).test(comment);
}

const resolve = (from: string, specifier: string): string =>
  specifier.startsWith('.') ? join(dirname(from), specifier) : specifier;

function linesMatching(
  text: string,
  pattern: RegExp,
  message: (word: string) => string,
): { line: number; message: string }[] {
  return text.split('\n').flatMap((content, index) => {
    const match = pattern.exec(content);
    return match === null ? [] : [{ line: index + 1, message: message(match[1] ?? match[0]) }];
  });
}
