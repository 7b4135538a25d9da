/** What a system's error name means, for people: `EACCES` becomes `permission denied (EACCES)`; every other message stays as it is. */
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';

const numbers: Readonly<Record<string, number>> = constants.errno;

export function inWords(message: string): string {
  const number = Object.hasOwn(numbers, message) ? numbers[message] : undefined;
  return number === undefined ? message : `${getSystemErrorMessage(-number)} (${message})`;
}
