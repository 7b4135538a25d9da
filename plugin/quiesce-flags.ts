/** The flags that have a migration stop what writes volumes without snapshots while these are copied. */
import { duration, toggle } from './flag.ts';

export const quiesceFlags = {
  quiesce: toggle({
    describes: 'Stop what writes volumes whose storage has no snapshots while these are copied; it comes back after.',
  }),
  'quiesce-timeout': duration({
    describes: 'With --quiesce: it comes back after this time at the latest, and the migration fails.',
    value: 'DURATION',
    default: '1h',
  }),
} as const;

export function quiesceOf(flags: { readonly quiesce: boolean; readonly 'quiesce-timeout': number }) {
  if (!flags.quiesce) return {};
  return { quiesce: true, quiesceTimeoutSeconds: Math.round(flags['quiesce-timeout'] / 1000) };
}
