/** `pair join NAME`: uses the code of another cluster. */
import { defineCommand } from '../command.ts';
import { text, texts, toggle } from '../flag.ts';
import { describeGrant, grantFlags, grantOf, placeOf, waitFlags } from '../pairing/pair-place.ts';
import { join, waitUntilReady } from '../pairing/pair-steps.ts';
import { parseEndpoints } from '../pairing/parse-endpoint.ts';
import { readCode } from '../pairing/read-code.ts';

export const pairJoin = defineCommand({
  words: [['pair'], ['join']],
  summary: 'Joins a cluster that invited this one; asks for the code.',
  explains:
    'The code is read from a prompt, from standard input or from a file: on a command line others could see it.',
  positionals: { shown: 'NAME', min: 1, max: 1 },
  flags: {
    ...grantFlags,
    ...waitFlags,
    'code-file': text({ describes: 'The file with the code; - is standard input.', value: 'FILE' }),
    endpoint: texts({
      describes: "HOST:PORT at which the other cluster reaches this one's agent, if it can: then either side may dial.",
      value: 'HOST:PORT',
    }),
    wait: toggle({ describes: 'Wait until the other side has confirmed.' }),
  },
  examples: ['kubectl stork pair join east', 'kubectl stork pair join east --code-file code.txt'],
  async run(context, { positionals: [name = ''], flags }) {
    const place = placeOf(context, await context.cluster(), name);
    const endpoints = parseEndpoints('endpoint', flags.endpoint);
    const code = await readCode(context.ambient, flags['code-file']);
    const grant = grantOf(flags);
    const fingerprint = await join(context, place, {
      code,
      endpoints,
      grant,
      timeoutMs: flags.timeout,
    });
    context.print(`Joined as ${fingerprint}`);
    context.say(`${describeGrant(grant)}.`);
    if (flags.wait) {
      await waitUntilReady(context, place, flags.timeout);
      context.print(`Pair ${name} is Ready`);
      return 0;
    }
    context.say('The other cluster must confirm this fingerprint: kubectl stork pair confirm NAME');
    return 0;
  },
});
