/** Requests of one user in an audit log, by verb and resource. Pure. */
import { at, textOf } from '../../agent/resources/fields.ts';

export interface CountedRequest {
  readonly verb: string;
  readonly resource: string;
  readonly count: number;
  /** Of an idle agent: watches, which are opened again now and then, and leases. */
  readonly expected: 'Yes' | 'No';
}

export function countRequests(
  log: string,
  { user, from, to }: { readonly user: string; readonly from: Date; readonly to: Date },
): readonly CountedRequest[] {
  // A watch is told of when it begins and when it ends.
  const seen = new Map<string, string>();
  for (const line of log.split('\n')) {
    const event: unknown = line === '' ? undefined : JSON.parse(line);
    const received = new Date(textOf(at(event, ['requestReceivedTimestamp'])) ?? 0);
    if (textOf(at(event, ['user', 'username'])) !== user || received < from || received > to) continue;
    const resource = textOf(at(event, ['objectRef', 'resource'])) ?? textOf(at(event, ['requestURI'])) ?? '';
    const name = textOf(at(event, ['objectRef', 'name']));
    const what = `${textOf(at(event, ['verb']))} ${resource}${name === undefined ? '' : `/${name}`}`;
    seen.set(textOf(at(event, ['auditID'])) ?? '', what);
  }
  return [...Map.groupBy(seen.values(), (what) => what)]
    .map(([what, all]) => {
      const [verb = '', resource = ''] = what.split(' ');
      const expected = verb === 'watch' || resource.startsWith('leases') ? ('Yes' as const) : ('No' as const);
      return { verb, resource, count: all.length, expected };
    })
    .toSorted((a, b) => `${a.expected}${a.verb}${a.resource}`.localeCompare(`${b.expected}${b.verb}${b.resource}`));
}
