/**
 * Every code and reason that our programs can show, with what they say and what they advise, read from the sources' syntax
 * trees: `{ code: 'X', message, hint }`, `{ reason: 'X', message }`, and calls such as `fail('X', '…')`. Texts that are put
 * together show `…` for what is filled in.
 */
import { relative } from 'node:path';
import type { Node, SourceFile } from 'typescript/unstable/ast';
import {
  isCallExpression,
  isConditionalExpression,
  isIdentifier,
  isNoSubstitutionTemplateLiteral,
  isObjectLiteralExpression,
  isPropertyAssignment,
  isShorthandPropertyAssignment,
  isStringLiteral,
  isTemplateExpression,
  isVariableDeclaration,
} from 'typescript/unstable/ast/is';
import { API } from 'typescript/unstable/sync';

export interface Reason {
  readonly code: string;
  readonly message: string | undefined;
  readonly hint: string | undefined;
  /** From the repository's root. */
  readonly path: string;
}

/** @param includes which of the project's files, by their path from `root` */
export function collectReasons(root: string, includes: (path: string) => boolean): readonly Reason[] {
  const api = new API({ cwd: root });
  try {
    const project = api.updateSnapshot({ openProjects: ['tsconfig.json'] }).getProjects()[0];
    if (project === undefined) throw new Error('TypeScript finds no project');
    const files = project.rootFiles.filter((file) => includes(relative(root, file)));
    return files.flatMap((file) => {
      const source = project.program.getSourceFile(file);
      return source === undefined ? [] : reasonsOf(source, relative(root, file));
    });
  } finally {
    api.close();
  }
}

/** CamelCase of two words at least, or one word that is a code of ours anyway where its place says so. */
const codePattern = /^[A-Z][A-Za-z0-9]+$/;
const twoWords = /^[A-Z][a-z0-9]+[A-Z]/;

/** Calls whose arguments are a code and then its message; the first may be seconds. */
const tellers: ReadonlySet<string> = new Set([
  'fail',
  'failed',
  'finish',
  'no',
  'refuse',
  'refusal',
  'refused',
  'wait',
  'yes',
]);

function reasonsOf(source: SourceFile, path: string): readonly Reason[] {
  const found: Reason[] = [];
  const walk = (node: Node, scopes: readonly Node[]): undefined => {
    const reason = ofObject(node, scopes) ?? ofCall(node, scopes);
    if (reason !== undefined) found.push({ ...reason, path });
    node.forEachChild((child) => walk(child, [node, ...scopes]));
    return undefined;
  };
  source.forEachChild((node) => walk(node, [source]));
  return found;
}

type Told = Omit<Reason, 'path'>;

function ofObject(node: Node, scopes: readonly Node[]): Told | undefined {
  if (!isObjectLiteralExpression(node)) return undefined;
  const fieldOf = (name: string): string | undefined => {
    for (const property of node.properties) {
      if (isPropertyAssignment(property) && isIdentifier(property.name) && property.name.text === name)
        return textOf(property.initializer, scopes);
      if (isShorthandPropertyAssignment(property) && isIdentifier(property.name) && property.name.text === name)
        return constantOf(name, scopes);
    }
    return undefined;
  };
  const message = fieldOf('message');
  const code = fieldOf('code') ?? (message === undefined ? undefined : fieldOf('reason'));
  if (code === undefined || !codePattern.test(code) || (message === undefined && !twoWords.test(code)))
    return undefined;
  return { code, message, hint: fieldOf('hint') };
}

function ofCall(node: Node, scopes: readonly Node[]): Told | undefined {
  if (!isCallExpression(node) || !isIdentifier(node.expression)) return undefined;
  if (!tellers.has(node.expression.text)) return undefined;
  const texts = node.arguments.map((argument) => textOf(argument, scopes));
  const at = texts.findIndex((text) => text !== undefined && codePattern.test(text));
  const code = texts[at];
  if (at < 0 || at > 1 || code === undefined) return undefined;
  if (texts[at + 1] === undefined && !twoWords.test(code)) return undefined;
  return { code, message: texts[at + 1], hint: texts[at + 2] };
}

/** A text as a person will see it, as far as the source says. */
function textOf(node: Node, scopes: readonly Node[]): string | undefined {
  if (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (isTemplateExpression(node))
    return node.templateSpans.reduce((text, span) => `${text}…${span.literal.text}`, node.head.text);
  if (isConditionalExpression(node)) return textOf(node.whenTrue, scopes) ?? textOf(node.whenFalse, scopes);
  if (isIdentifier(node)) return constantOf(node.text, scopes);
  return undefined;
}

/** What a constant of that name, declared around the place, holds. */
function constantOf(name: string, scopes: readonly Node[]): string | undefined {
  for (const scope of scopes) {
    let text: string | undefined;
    const search = (node: Node, depth: number): undefined => {
      if (text !== undefined || depth > 3) return undefined;
      if (isVariableDeclaration(node) && isIdentifier(node.name) && node.name.text === name) {
        if (node.initializer !== undefined && !isIdentifier(node.initializer)) text = textOf(node.initializer, []);
        return undefined;
      }
      node.forEachChild((child) => search(child, depth + 1));
      return undefined;
    };
    scope.forEachChild((child) => search(child, 0));
    if (text !== undefined) return text;
  }
  return undefined;
}
