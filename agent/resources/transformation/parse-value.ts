/** The values of a ResourceTransformation: text with a type, as Stork writes them. Pure. */
import type { TransformPath } from '../../../crds/v1alpha1/index.ts';

export type ParsedValue =
  | { readonly valid: 'Yes'; readonly value: unknown }
  | { readonly valid: 'No'; readonly reason: string };

/** `int` "3", `bool` "true", `slice` "a,b", `keypair` "k:v,k:v"; anything else is a string. */
export function parseValue(text: string, type: TransformPath['type']): ParsedValue {
  switch (type) {
    case 'int': {
      const number = /^[+-]?\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN;
      return Number.isSafeInteger(number) ? valid(number) : invalid(`"${text}" is no whole number`);
    }
    case 'bool':
      if (/^(true|t|1)$/i.test(text)) return valid(true);
      return /^(false|f|0)$/i.test(text) ? valid(false) : invalid(`"${text}" is neither true nor false`);
    case 'slice':
      return valid(text.split(',').map((item) => item.trim()));
    case 'keypair':
      return parsePairs(text);
    case 'string':
    case '':
    case undefined:
      return valid(text);
    default:
      return type satisfies never;
  }
}

function parsePairs(text: string): ParsedValue {
  const pairs: (readonly [string, string])[] = [];
  for (const pair of text.split(',')) {
    const colon = pair.indexOf(':');
    const key = pair.slice(0, colon).trim();
    if (colon === -1 || key === '') return invalid(`"${pair.trim()}" is no key:value`);
    pairs.push([key, pair.slice(colon + 1).trim()]);
  }
  return valid(Object.fromEntries(pairs));
}

const valid = (value: unknown): ParsedValue => ({ valid: 'Yes', value });
const invalid = (reason: string): ParsedValue => ({ valid: 'No', reason });
