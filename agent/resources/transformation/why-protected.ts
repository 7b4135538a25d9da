/** What no transformation may touch: what makes an object itself, and the marks by which we know our own again. Pure. */
import { storkPrefix } from '../names.ts';
import { type FieldPath, textOfPath } from './field-path.ts';

/** Why what is at the path, or about to be put there, stays as it is; `undefined`: it may be transformed. */
export function whyProtected(path: FieldPath, value?: unknown): string | undefined {
  const [first, second, key] = path;
  if (first === undefined) return 'the object as a whole is never replaced; name a field';
  if (first === 'apiVersion' || first === 'kind') return `${first} is never transformed`;
  if (first !== 'metadata') return undefined;
  if (second === undefined) return 'metadata as a whole is never replaced; name labels or annotations';
  if (second !== 'labels' && second !== 'annotations') {
    return `${textOfPath(path)}: of metadata only labels and annotations are transformed`;
  }
  const keys = key === undefined ? keysOf(value) : [key];
  const ours = keys.find((name) => name.startsWith(storkPrefix));
  return ours === undefined ? undefined : `${second} ${ours} is Stork's own`;
}

const keysOf = (value: unknown): readonly string[] =>
  typeof value === 'object' && value !== null ? Object.keys(value) : [];
