/** `KIND NAME` or `KIND/NAME` on a command line, for commands that take objects of several kinds. Pure. */
import { StorkError } from '../kube/errors.ts';

export interface NamedObject<K extends { readonly words: readonly string[] }> {
  readonly kind: K;
  readonly name: string;
}

/** @throws StorkError `BadUsage` */
export function readNamedObject<K extends { readonly words: readonly string[] }>(
  kinds: readonly K[],
  positionals: readonly string[],
): NamedObject<K> {
  const [word = '', name, ...rest] = positionals.flatMap((one) => one.split('/'));
  const known = kinds.map(({ words }) => words[0] ?? '').join(', ');
  const kind = kinds.find(({ words }) => words.includes(word));
  if (kind === undefined)
    throw new StorkError({ code: 'BadUsage', message: `unknown kind "${word}": it must be ${known}` });
  if (name === undefined || name === '' || rest.length > 0)
    throw new StorkError({ code: 'BadUsage', message: `one name is needed: ${word}/NAME` });
  return { kind, name };
}
