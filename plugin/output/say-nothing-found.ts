/** kubectl's words for an empty list, on standard error; the exit code stays 0. */
import type { CommandContext } from '../command.ts';

export function sayNothingFound(context: CommandContext, namespace: string | undefined): void {
  context.say(namespace === undefined ? 'No resources found' : `No resources found in ${namespace} namespace.`);
}
