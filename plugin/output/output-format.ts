/** `-o`: which ways of printing objects there are, and their flags. */
import { StorkError } from '../../kube/errors.ts';
import { type Flag, text, toggle } from '../flag.ts';

export type OutputFormat =
  | { readonly kind: 'table' | 'wide' | 'json' | 'yaml' | 'name' }
  | { readonly kind: 'jsonpath'; readonly template: string };

const names = ['table', 'wide', 'json', 'yaml', 'name'] as const;

/** @throws StorkError `BadFlag` when read from a text that is none of them */
export function outputFlag(): Flag<OutputFormat> {
  const plain = text({
    describes: 'How to print: table, wide, json, yaml, name, jsonpath=TEMPLATE.',
    short: 'o',
    value: 'FORMAT',
    default: 'table',
    completes: names,
  });
  return { ...plain, read: (given, name) => readFormat(plain.read(given, name)) };
}

export const printingFlags = {
  output: outputFlag(),
  'no-headers': toggle({ describes: "Don't print the names of columns." }),
} as const;

function readFormat(given: string): OutputFormat {
  const kind = names.find((name) => name === given);
  if (kind !== undefined) return { kind };
  if (given.startsWith('jsonpath=')) return { kind: 'jsonpath', template: given.slice('jsonpath='.length) };
  throw new StorkError({
    code: 'BadFlag',
    message: `unable to match a printer suitable for the output format "${given}", allowed formats are: ${names.join(',')},jsonpath=`,
  });
}
