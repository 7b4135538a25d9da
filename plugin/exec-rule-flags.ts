/** The flags that name a migration's rules. */
import { text } from './flag.ts';

export const execRuleFlags = {
  'pre-exec-rule': text({
    describes: 'The rule to run before the volumes are cut.',
    value: 'NAME',
    completes: 'Rules',
  }),
  'post-exec-rule': text({
    describes: 'The rule to run after the volumes are cut.',
    value: 'NAME',
    completes: 'Rules',
  }),
} as const;
