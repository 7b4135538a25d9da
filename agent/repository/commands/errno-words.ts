/** What a system's error name means, for people: `EACCES` becomes `permission denied (EACCES)`; every other message stays as it is. */
import { getSystemErrorMap } from 'node:util';

let known: ReadonlyMap<string, string> | undefined;

export function inWords(message: string): string {
  if (!/^E[A-Z0-9]+$/.test(message)) return message;
  known ??= new Map([...getSystemErrorMap().values()]);
  const meaning = known.get(message);
  return meaning === undefined ? message : `${meaning} (${message})`;
}
