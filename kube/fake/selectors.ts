/** Label and field selectors, parsed as the API server parses them. */
import { at } from './json-value.ts';

export type Selector = (object: unknown) => boolean;

/** @throws SyntaxError for a selector the server would refuse */
export function parseLabelSelector(text: string | undefined): Selector {
  const tests = splitTerms(text ?? '').map(labelTerm);
  return (object) => tests.every((test) => test(object));
}

function splitTerms(text: string): readonly string[] {
  if (text.trim() === '') return [];
  return text.split(/,(?![^(]*\))/).map((term) => term.trim());
}

function labelTerm(term: string): Selector {
  const label = (object: unknown, key: string) => at(object, 'metadata', 'labels', key);
  const among = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(term);
  if (among !== null) {
    const [, key = '', operator, list = ''] = among;
    const values = new Set<unknown>(list.split(',').map((value) => value.trim()));
    return operator === 'in' ? (object) => values.has(label(object, key)) : (object) => !values.has(label(object, key));
  }
  const equal = /^([^!=\s]+)\s*(==|=|!=)\s*([A-Za-z0-9._-]*)$/.exec(term);
  if (equal !== null) {
    const [, key = '', operator, value] = equal;
    return operator === '!=' ? (object) => label(object, key) !== value : (object) => label(object, key) === value;
  }
  const presence = /^(!?)\s*([A-Za-z0-9._/-]+)$/.exec(term);
  if (presence === null) throw new SyntaxError(`unable to parse requirement: ${term}`);
  const [, not, key = ''] = presence;
  return not === '!' ? (object) => label(object, key) === undefined : (object) => label(object, key) !== undefined;
}

/**
 * @param supported paths this kind can be selected by, besides metadata.name and metadata.namespace
 * @throws SyntaxError for a field the server would refuse
 */
export function parseFieldSelector(text: string | undefined, supported: readonly string[]): Selector {
  const tests = splitTerms(text ?? '').map((term) => fieldTerm(term, supported));
  return (object) => tests.every((test) => test(object));
}

function fieldTerm(term: string, supported: readonly string[]): Selector {
  const parsed = /^([A-Za-z0-9._-]+)(==|=|!=)(.*)$/.exec(term);
  if (parsed === null) throw new SyntaxError(`invalid selector: '${term}'; can't understand '${term}'`);
  const [, path = '', operator, value = ''] = parsed;
  if (path !== 'metadata.name' && path !== 'metadata.namespace' && !supported.includes(path)) {
    throw new SyntaxError(`field label not supported: ${path}`);
  }
  const found = (object: unknown) => String(at(object, ...path.split('.')) ?? '');
  return operator === '!=' ? (object) => found(object) !== value : (object) => found(object) === value;
}
