/** `pair confirm NAME`: the accepting admin's yes to the key that joined. */
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { defineCommand } from '../command.ts';
import { text, toggle } from '../flag.ts';
import { askYes } from '../pairing/ask-yes.ts';
import { placeOf, waitFlags } from '../pairing/pair-place.ts';
import { confirm, waitForJoiner, waitUntilReady } from '../pairing/pair-steps.ts';

export const pairConfirm = defineCommand({
  words: [['pair'], ['confirm']],
  summary: 'Confirms the cluster that joined, by its fingerprint.',
  explains: 'Compare the fingerprint with the one that `pair join` printed on the other cluster.',
  positionals: { shown: 'NAME', min: 1, max: 1, completes: 'ClusterPairs' },
  flags: {
    ...waitFlags,
    fingerprint: text({
      describes: 'Confirm without a question, if the fingerprint is this one.',
      value: 'SHA256:...',
    }),
    wait: toggle({ describes: 'Wait until the pair is Ready.', default: true }),
  },
  examples: ['kubectl stork pair confirm west', 'kubectl stork pair confirm west --fingerprint SHA256:...'],
  async run(context, { positionals: [name = ''], flags }) {
    const place = placeOf(context, await context.cluster(), name);
    const key = { namespace: place.namespace, name };
    const { spec } = await place.client.get(clusterPairs, key, { signal: context.signal });
    if (spec.accept === undefined) {
      throw new StorkError({ code: 'NotAccepting', message: `pair ${name} did not accept; its other side confirms` });
    }
    const pair = await waitForJoiner(context, place, flags.timeout);
    const seen = pair.status?.peer?.fingerprint ?? '';
    const who = `${pair.status?.peer?.cluster ?? 'A cluster'} joined with fingerprint ${seen}`;
    if (flags.fingerprint === undefined) {
      if (context.ambient.stdin.isTTY !== true) {
        const hint = `Compare it, then give it: --fingerprint ${seen}`;
        throw new StorkError({ code: 'NotConfirmed', message: `${who}; nobody is here to confirm it`, hint });
      }
      context.say(who);
      if ((await askYes(context.ambient, 'Is it the same as shown there?')) === 'No') {
        throw new StorkError({ code: 'NotConfirmed', message: 'not confirmed; nothing was changed' });
      }
    } else if (flags.fingerprint !== seen) {
      const hint = `If you did not expect it: kubectl stork pair revoke ${name}`;
      throw new StorkError({ code: 'OtherFingerprint', message: `${who}, not ${flags.fingerprint}`, hint });
    }
    await confirm(context, place, pair);
    context.print(`Confirmed ${seen}`);
    if (!flags.wait) return 0;
    await waitUntilReady(context, place, flags.timeout);
    context.print(`Pair ${name} is Ready`);
    return 0;
  },
});
