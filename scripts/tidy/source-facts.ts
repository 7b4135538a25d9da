/** What the rules of tidy ask about a source file, read from the TypeScript compiler's own syntax tree. */
import { relative } from 'node:path';
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import {
  isArrowFunction,
  isCallExpression,
  isClassDeclaration,
  isConstructorDeclaration,
  isExportAssignment,
  isExportDeclaration,
  isFunctionDeclaration,
  isFunctionExpression,
  isGetAccessorDeclaration,
  isIdentifier,
  isImportDeclaration,
  isMethodDeclaration,
  isNamedExports,
  isNamedImports,
  isNewExpression,
  isPropertyAccessExpression,
  isSetAccessorDeclaration,
  isStringLiteral,
  isVariableStatement,
} from 'typescript/unstable/ast/is';
import { API } from 'typescript/unstable/sync';

export interface SourceFacts {
  /** From the repository's root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly lineCount: number;
  readonly imports: readonly ImportFact[];
  readonly exports: readonly ExportFact[];
  readonly functions: readonly FunctionFact[];
  /** Calls of, and accesses to, dotted names whose first part is global: `Date.now`, `new Date()`, `process.env`, `t.mock`. */
  readonly uses: readonly UseFact[];
}

export interface ImportFact {
  readonly specifier: string;
  /** `*` when everything may be meant: namespaces, `import()`, `export * from`. */
  readonly names: readonly string[];
  readonly line: number;
}

export interface ExportFact {
  readonly name: string;
  readonly kind: 'value' | 'type';
  readonly line: number;
}

export interface FunctionFact {
  readonly name: string;
  readonly line: number;
  readonly lineCount: number;
  /** Without the lines of functions inside it: what a factory itself says. */
  readonly ownLineCount: number;
  /** A callback given to `describe`: a list of tests, not a function to be read as one. */
  readonly isSuite: boolean;
}

export interface UseFact {
  readonly name: string;
  readonly line: number;
}

/** Facts about every file of the project that `tsconfig` names. */
export function readProject(tsconfig: string, root: string): readonly SourceFacts[] {
  const api = new API({ cwd: root });
  try {
    const snapshot = api.updateSnapshot({ openProjects: [tsconfig] });
    const project = snapshot.getProjects()[0];
    if (project === undefined) throw new Error(`TypeScript finds no project at ${tsconfig}`);
    return project.rootFiles.flatMap((file) => {
      const source = project.program.getSourceFile(file);
      return source === undefined ? [] : [factsOf(source, relative(root, file))];
    });
  } finally {
    api.close();
  }
}

interface Collected {
  readonly imports: ImportFact[];
  readonly exports: ExportFact[];
  readonly functions: FunctionFact[];
  readonly uses: UseFact[];
}

type LineOf = (position: number) => number;

function factsOf(source: SourceFile, path: string): SourceFacts {
  const collected: Collected = { imports: [], exports: [], functions: [], uses: [] };
  const lineOf: LineOf = (position) => source.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node: Node, parent: Node): undefined => {
    collectFunction(node, parent, source, lineOf, collected);
    collectUse(node, parent, source, lineOf, collected);
    collectDynamicImport(node, source, lineOf, collected);
    node.forEachChild((child) => visit(child, node));
    return undefined;
  };
  for (const statement of source.statements) {
    collectModuleStatement(statement, source, lineOf, collected);
    visit(statement, source);
  }
  return { path, text: source.text, lineCount: source.text.replace(/\n$/, '').split('\n').length, ...collected };
}

function collectModuleStatement(node: Node, source: SourceFile, lineOf: LineOf, { imports, exports }: Collected): void {
  const line = lineOf(node.getStart(source));
  if (isImportDeclaration(node) && isStringLiteral(node.moduleSpecifier)) {
    const bindings = node.importClause?.namedBindings;
    const named =
      bindings === undefined
        ? []
        : isNamedImports(bindings)
          ? bindings.elements.map((e) => (e.propertyName ?? e.name).text)
          : ['*'];
    imports.push({
      specifier: node.moduleSpecifier.text,
      names: node.importClause?.name === undefined ? named : [...named, 'default'],
      line,
    });
    return;
  }
  if (isExportDeclaration(node)) {
    const clause = node.exportClause;
    const named = clause !== undefined && isNamedExports(clause) ? clause.elements : undefined;
    for (const element of named ?? [])
      exports.push({ name: element.name.text, kind: node.isTypeOnly ? 'type' : 'value', line });
    if (node.moduleSpecifier !== undefined && isStringLiteral(node.moduleSpecifier)) {
      imports.push({
        specifier: node.moduleSpecifier.text,
        names: named?.map((e) => (e.propertyName ?? e.name).text) ?? ['*'],
        line,
      });
    }
    return;
  }
  if (isExportAssignment(node)) {
    exports.push({ name: 'default', kind: 'value', line });
    return;
  }
  const modifiers =
    'modifiers' in node && Array.isArray(node.modifiers) ? node.modifiers.map((modifier: Node) => modifier.kind) : [];
  if (!modifiers.includes(SyntaxKind.ExportKeyword)) return;
  if (modifiers.includes(SyntaxKind.DefaultKeyword)) exports.push({ name: 'default', kind: 'value', line });
  else
    exports.push(
      ...declaredNames(node).map((name): ExportFact => ({ name, kind: isValue(node) ? 'value' : 'type', line })),
    );
}

const isValue = (node: Node): boolean =>
  isVariableStatement(node) || isFunctionDeclaration(node) || isClassDeclaration(node);

function declaredNames(node: Node): readonly string[] {
  if (isVariableStatement(node))
    return node.declarationList.declarations.flatMap((d) => (isIdentifier(d.name) ? [d.name.text] : []));
  return nameOf(node) === undefined ? [] : [nameOf(node) ?? ''];
}

function nameOf(node: Node): string | undefined {
  if (!('name' in node) || typeof node.name !== 'object' || node.name === null) return undefined;
  const name = node.name;
  return 'text' in name && typeof name.text === 'string' ? name.text : undefined;
}

const functionTests = [
  isFunctionDeclaration,
  isFunctionExpression,
  isArrowFunction,
  isMethodDeclaration,
  isConstructorDeclaration,
  isGetAccessorDeclaration,
  isSetAccessorDeclaration,
];

function collectFunction(node: Node, parent: Node, source: SourceFile, lineOf: LineOf, { functions }: Collected): void {
  if (!functionTests.some((test) => test(node))) return;
  const line = lineOf(node.getStart(source));
  const lineCount = lineOf(node.end) - line + 1;
  functions.push({
    name: nameOf(node) ?? nameOf(parent) ?? 'a function',
    line,
    lineCount,
    ownLineCount: lineCount - innerFunctionLines(node, source, lineOf),
    isSuite: isCallExpression(parent) && /^(describe|suite)\b/.test(parent.expression.getText(source)),
  });
}

/** Lines that lie in functions below `node`; those that begin and end on one line belong to whom they are in. */
function innerFunctionLines(node: Node, source: SourceFile, lineOf: LineOf): number {
  let lines = 0;
  node.forEachChild((child) => {
    const isInner = functionTests.some((test) => test(child));
    lines += isInner ? lineOf(child.end) - lineOf(child.getStart(source)) : innerFunctionLines(child, source, lineOf);
    return undefined;
  });
  return lines;
}

/** Dotted names are collected at their longest; a `new X()` without arguments becomes `new X()`. */
function collectUse(node: Node, parent: Node, source: SourceFile, lineOf: LineOf, { uses }: Collected): void {
  const line = () => lineOf(node.getStart(source));
  if (isNewExpression(node) && (node.arguments?.length ?? 0) === 0)
    uses.push({ name: `new ${node.expression.getText(source)}()`, line: line() });
  if (isPropertyAccessExpression(node) && isIdentifier(node.expression)) {
    uses.push({ name: `${node.expression.text}.${node.name.text}`, line: line() });
  }
  if (isCallExpression(node) && isIdentifier(node.expression))
    uses.push({ name: `${node.expression.text}()`, line: line() });
  if (isIdentifier(node) && isPropertyAssignmentOrArgument(parent)) uses.push({ name: node.text, line: line() });
}

/** Where a global could be handed on instead of being called: `{ now: Date.now, log: console }`, `run(setTimeout)`. */
function isPropertyAssignmentOrArgument(parent: Node): boolean {
  return (
    isCallExpression(parent) ||
    parent.kind === SyntaxKind.PropertyAssignment ||
    parent.kind === SyntaxKind.VariableDeclaration
  );
}

function collectDynamicImport(node: Node, source: SourceFile, lineOf: LineOf, { imports }: Collected): void {
  if (!isCallExpression(node) || node.expression.kind !== SyntaxKind.ImportKeyword) return;
  const [argument] = node.arguments;
  if (argument !== undefined && isStringLiteral(argument)) {
    imports.push({ specifier: argument.text, names: ['*'], line: lineOf(node.getStart(source)) });
  }
}
