/** `pair accept NAME`: invites another cluster; the one-time code goes to standard output, everything else does not. */
import { defineCommand } from '../command.ts';
import { duration, texts, toggle } from '../flag.ts';
import { findEndpoints } from '../pairing/find-endpoints.ts';
import { describeGrant, grantFlags, grantOf, placeOf, waitFlags } from '../pairing/pair-place.ts';
import { invite } from '../pairing/pair-steps.ts';
import { parseEndpoints } from '../pairing/parse-endpoint.ts';

export const pairAccept = defineCommand({
  words: [['pair'], ['accept']],
  summary: 'Invites another cluster: prints a one-time code for `pair join` there.',
  explains:
    'The code is a secret until it is used or expires. Afterwards confirm the joined cluster with `pair confirm`.',
  positionals: { shown: 'NAME', min: 1, max: 1 },
  flags: {
    ...grantFlags,
    ...waitFlags,
    endpoint: texts({
      describes: "HOST:PORT at which the other cluster reaches this one's agent (default: found).",
      value: 'HOST:PORT',
    }),
    ttl: duration({ describes: 'How long the code can be used.', value: 'DURATION', default: '1h' }),
    quiet: toggle({ describes: 'Print the code only.', short: 'q' }),
  },
  examples: [
    'kubectl stork pair accept west --endpoint stork.example.org:30443',
    'kubectl stork pair accept west -q > code.txt',
  ],
  async run(context, { positionals: [name = ''], flags }) {
    const place = placeOf(context, await context.cluster(), name);
    const given = parseEndpoints('endpoint', flags.endpoint);
    const endpoints = given.length > 0 ? given : await findEndpoints(context, place);
    const grant = grantOf(flags);
    const ttlSeconds = Math.round(flags.ttl / 1000);
    const code = await invite(context, place, { endpoints, ttlSeconds, grant, timeoutMs: flags.timeout });
    if (!flags.quiet) {
      context.say(`${describeGrant(grant)}.`);
      context.say(
        `The code names ${endpoints.join(', ')} and expires in ${Math.round(ttlSeconds / 60)} min. Keep it secret:`,
      );
    }
    context.print(code);
    if (!flags.quiet) {
      context.say(`On the other cluster: kubectl stork pair join NAME   (it asks for the code)`);
      context.say(`Then here:            kubectl stork pair confirm ${name} -n ${place.namespace}`);
    }
    return 0;
  },
});
