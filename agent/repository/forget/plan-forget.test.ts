import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ForgetPolicy, type ForgettableSnapshot, planForget } from './plan-forget.ts';
import { before, keepsNothing, parseSpan, type Retention } from './retention.ts';

const aSnapshot = (time: string, over: Partial<ForgettableSnapshot> = {}): ForgettableSnapshot => ({
  id: `${time} ${over.hostname ?? ''}`,
  time: new Date(time),
  hostname: 'host',
  paths: ['/data'],
  tags: [],
  ...over,
});

type Change = Partial<Omit<ForgetPolicy, 'retention'>> & { readonly retention?: Partial<Retention> };

const aPolicy = ({ retention, ...rest }: Change): ForgetPolicy => ({
  retention: { keep: {}, keepWithin: {}, tags: [], ...retention },
  scope: { hosts: [], tags: [], paths: [] },
  groupBy: ['host', 'paths'],
  timeZone: 'UTC',
  ...rest,
});

const kept = (snapshots: readonly ForgettableSnapshot[], change: Change) =>
  planForget(snapshots, aPolicy(change)).groups.flatMap(({ keep }) =>
    keep.map(({ snapshot, reasons }) => `${snapshot.time.toISOString().slice(0, 13)} ${reasons.join('+')}`),
  );

const days = (count: number, hour = '12') =>
  Array.from({ length: count }, (_, day) => aSnapshot(`2026-01-${String(day + 1).padStart(2, '0')}T${hour}:00:00Z`));

describe('planForget', () => {
  const cases: readonly [string, readonly ForgettableSnapshot[], Change, readonly string[]][] = [
    ['keeps the newest so many', days(4), { retention: { last: 2 } }, ['2026-01-04T12 last', '2026-01-03T12 last']],
    [
      'keeps the newest of each day',
      [...days(2, '09'), ...days(2, '21'), aSnapshot('2025-12-01T00:00:00Z')],
      { retention: { keep: { daily: 2 } } },
      ['2026-01-02T21 daily', '2026-01-01T21 daily'],
    ],
    [
      'keeps the oldest as long as a rule has room',
      [...days(2, '09'), ...days(2, '21')],
      { retention: { keep: { daily: 3 } } },
      ['2026-01-02T21 daily', '2026-01-01T21 daily', '2026-01-01T09 daily'],
    ],
    [
      'counts ISO weeks across the turn of the year',
      ['2025-12-28', '2025-12-29', '2026-01-04', '2026-01-05'].map((day) => aSnapshot(`${day}T00:00:00Z`)),
      { retention: { keep: { weekly: 2 } } },
      ['2026-01-05T00 weekly', '2026-01-04T00 weekly'],
    ],
    [
      'keeps months and years',
      ['2024-06-01', '2024-12-31', '2025-01-01', '2025-01-31'].map((day) => aSnapshot(`${day}T00:00:00Z`)),
      { retention: { keep: { monthly: 2, yearly: 2 } } },
      ['2025-01-31T00 monthly+yearly', '2024-12-31T00 monthly+yearly'],
    ],
    [
      'keeps all for -1',
      days(3),
      { retention: { keep: { hourly: -1 } } },
      ['2026-01-03T12 hourly', '2026-01-02T12 hourly', '2026-01-01T12 hourly'],
    ],
    [
      'measures spans from the newest, not from now',
      days(5),
      { retention: { within: parseSpan('2d', '') } },
      ['2026-01-05T12 within', '2026-01-04T12 within'],
    ],
    [
      'keeps one of each period within a span',
      [...days(3, '09'), ...days(3, '21')],
      { retention: { keepWithin: { daily: parseSpan('1d12h', '') } } },
      ['2026-01-03T21 daily within', '2026-01-02T21 daily within'],
    ],
    [
      'keeps what has all tags of a list',
      [aSnapshot('2026-01-01T00:00:00Z', { tags: ['a', 'b'] }), aSnapshot('2026-01-02T00:00:00Z', { tags: ['a'] })],
      { retention: { tags: [['a', 'b']] } },
      ['2026-01-01T00 tagged'],
    ],
    [
      'begins days where the time zone does',
      [aSnapshot('2026-01-01T22:30:00Z'), aSnapshot('2026-01-01T23:30:00Z'), aSnapshot('2025-06-01T00:00:00Z')],
      { retention: { keep: { daily: 2 } }, timeZone: 'Europe/Berlin' },
      ['2026-01-01T23 daily', '2026-01-01T22 daily'],
    ],
  ];
  for (const [title, snapshots, change, expected] of cases)
    it(title, () => assert.deepEqual(kept(snapshots, change), expected));

  it('applies the policy to each group by itself and leaves others alone', () => {
    const snapshots = [...days(2), aSnapshot('2020-01-01T00:00:00Z', { hostname: 'other' })];
    assert.equal(kept(snapshots, { retention: { last: 1 } }).length, 2);
    assert.equal(kept(snapshots, { retention: { last: 1 }, groupBy: [] }).length, 1);
    const scoped = planForget(
      snapshots,
      aPolicy({ retention: { last: 1 }, scope: { hosts: ['host'], tags: [], paths: [] } }),
    );
    assert.deepEqual(
      scoped.groups.map(({ host }) => host),
      ['host'],
    );
  });

  it('says which groups would lose everything', () => {
    const { emptied } = planForget(days(2), aPolicy({ retention: { tags: [['none']] } }));
    assert.equal(emptied.length, 1);
    assert.equal(keepsNothing({ keep: { daily: 0 }, keepWithin: {}, tags: [] }), true);
  });

  it('never forgets and keeps the same restore point, and names each exactly once', () => {
    const snapshots = [...days(28, '01'), ...days(28, '13')];
    for (const last of [0, 1, 5, 100]) {
      const { groups } = planForget(snapshots, aPolicy({ retention: { last, keep: { weekly: 2 } } }));
      const ids = groups.flatMap(({ keep, forget }) => [
        ...keep.map(({ snapshot }) => snapshot.id),
        ...forget.map(({ id }) => id),
      ]);
      assert.deepEqual(ids.sort(), snapshots.map(({ id }) => id).sort());
    }
  });
});

describe('spans', () => {
  it('end on the last day of months that are too short', () => {
    const march = new Date('2026-03-31T10:00:00Z');
    assert.equal(before(march, parseSpan('1m', '')).toISOString(), '2026-02-28T10:00:00.000Z');
    assert.equal(before(march, parseSpan('1y1m1d1h', '')).toISOString(), '2025-02-27T09:00:00.000Z');
  });
  it('are refused when they are none', () => {
    for (const text of ['', '5', 'd', '1w', '-1d'])
      assert.throws(() => parseSpan(text, 'x'), { code: 'ArgumentInvalid' });
  });
});
