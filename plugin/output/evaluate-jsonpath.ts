/**
 * kubectl's JSONPath templates as far as scripts use them: text, `{.a.b}`, `{['a.b']}`, `{.list[0]}`, `{.list[*].name}`,
 * `{"\n"}`. Several results are joined by a space. Filters, ranges and slices are refused by name.
 */
import { isRecord } from '../../crds/schema/apply-defaults.ts';
import { StorkError } from '../../kube/errors.ts';

/** @throws StorkError `BadFlag` for what it doesn't understand */
export function evaluateJsonPath(template: string, root: unknown): string {
  return template.replaceAll(/\{([^}]*)\}/g, (_, expression: string) => evaluate(expression.trim(), root));
}

function evaluate(expression: string, root: unknown): string {
  const literal = /^"(.*)"$/s.exec(expression)?.[1];
  if (literal !== undefined) return literal.replaceAll('\\n', '\n').replaceAll('\\t', '\t');
  let found: readonly unknown[] = [root];
  for (const step of stepsOf(expression.replace(/^\$/, ''))) found = found.flatMap((value) => take(step, value));
  return found.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(' ');
}

function stepsOf(path: string): readonly string[] {
  const steps: string[] = [];
  const step = /\.?([A-Za-z_][\w-]*)|\[(\d+|\*)\]|\['((?:[^'\\]|\\.)*)'\]|\.(\*)/y;
  while (step.lastIndex < path.length) {
    if (path === '.') return [];
    const match = step.exec(path);
    if (match === null) {
      throw new StorkError({ code: 'BadFlag', message: `jsonpath: can't understand "${path}"` });
    }
    steps.push(match[1] ?? match[2] ?? match[3] ?? '*');
  }
  return steps;
}

function take(step: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return step === '*' ? value : [value[Number(step)]].filter((item) => item !== undefined);
  if (!isRecord(value)) return [];
  if (step === '*') return Object.values(value);
  return Object.hasOwn(value, step) ? [value[step]] : [];
}
