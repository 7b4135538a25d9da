/** What must be stopped so that nothing writes certain claims, and what stands against it. Pure. */
import { whyUnguarded, whyUnguardedBelow } from '../claim-guard.ts';
import { groupKindOf, refOf, textOfRef } from '../resource-ref.ts';
import type { Owner, Writer } from './find-writers.ts';
import { readRest } from './rest.ts';

export interface QuiesceDecision {
  /** Each once. */
  readonly stop: readonly Owner[];
  /** Pods of jobs, which end by themselves and are never stopped by us. */
  readonly jobs: readonly string[];
  /** Why it can't be done; nothing may be stopped then. */
  readonly refusals: readonly QuiesceRefusal[];
}

export interface QuiesceRefusal {
  readonly code: 'QuiesceImpossible';
  readonly message: string;
  readonly hint: string;
}

export function decideQuiesce(writers: readonly Writer[]): QuiesceDecision {
  const stop = new Map<string | undefined, Owner>();
  const jobs: string[] = [];
  const refusals = new Map<string, QuiesceRefusal>();
  const refuse = (message: string, hint: string) =>
    void refusals.set(message, { code: 'QuiesceImpossible', message, hint });
  for (const writer of writers) {
    const top = writer.owners.at(-1);
    const job = writer.owners.find(({ object }) => groupKindOf(object) === 'batch/Job');
    if (writer.pod === 'Running' && job !== undefined) jobs.push(writer.what);
    if (top !== undefined && top.fields.length > 0 && writer.complete === 'Yes') {
      const danger = whyLosesClaims(writer.owners, top);
      if (danger === undefined) stop.set(top.object.metadata.uid, top);
      else refuse(danger, 'Or migrate without quiesce.');
    } else if (writer.pod !== 'Ending' && (job === undefined || job !== top)) {
      refuse(`${writer.what} writes ${writer.claims.join(', ')}, and ${whyNot(writer)}`, stopYourself);
    }
  }
  return { stop: [...stop.values()], jobs, refusals: [...refusals.values()] };
}

const stopYourself = 'Stop it yourself for the time of the migration, or migrate without quiesce.';

function whyNot({ owners, complete }: Writer): string {
  const top = owners.at(-1);
  if (complete === 'No') return 'what owns it can not be found';
  if (top === undefined) return 'it belongs to no workload that could be stopped';
  const kind = top.object.kind;
  return `${textOfRef(refOf(top.object))} can't be stopped: no ApplicationRegistration says how for ${kind}`;
}

/** Claims would go with what is scaled down, whatever we set before. */
function whyLosesClaims(owners: readonly Owner[], top: Owner): string | undefined {
  const below = owners.filter((owner) => owner !== top);
  return whyUnguarded(top.object) ?? below.map(({ object }) => whyUnguardedBelow(object, top.object)).find(Boolean);
}

/** The operation that has one of the workloads at rest, when it is another one. */
export function findOtherRest(owners: readonly Owner[], operation: string) {
  for (const { object } of owners) {
    const rest = readRest(object);
    if (rest !== undefined && rest.operation !== operation) return { object, rest };
  }
  return undefined;
}
