import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideConsistency, decideRule, decideRuleRetry, mayHold, summarizeHold } from './decide-rule.ts';
import { afterForeground, afterProof, afterRelease, afterStart } from './decide-target.ts';
import { type RuleRun, type RuleStep, type RuleTarget, ruleLimits } from './rule-run.ts';

const target = (fields: Partial<RuleTarget> = {}): RuleTarget => ({
  namespace: 'shop',
  pod: 'db-0',
  podUid: 'u1',
  container: 'db',
  state: 'Planned',
  ...fields,
});
const step = (kind: RuleStep['kind'], ...targets: RuleTarget[]): RuleStep => ({
  id: `0-${kind.length}`,
  kind,
  onError: 'Fail',
  targets,
});
const run = (...steps: RuleStep[]): RuleRun => ({
  rule: 'hold',
  position: 'Pre',
  attempt: 1,
  ruleDigest: 'd',
  steps,
});
const held = (fields: Partial<RuleTarget> = {}) => target({ key: 'k', state: 'Holding', ...fields });
const facts = { now: new Date('2026-01-01T00:00:00Z'), limits: ruleLimits, outputBytes: 2048, holdSeconds: 900 };

describe('a rule in execution', () => {
  it('goes on with the first unfinished step, then holds, then is done', () => {
    const first = step('Foreground', target());
    assert.deepEqual(decideRule(run(first, step('Background', target({ key: 'k' })))), { phase: 'Run', step: '0-10' });
    const done = step('Foreground', target({ state: 'Done' }));
    assert.equal(decideRule(run(done, step('Background', target({ key: 'k', state: 'Starting' })))).phase, 'Run');
    const deadline = '2026-01-01T00:15:00.000Z';
    assert.deepEqual(decideRule(run(done, step('Background', held({ deadline })))), {
      phase: 'Holding',
      until: deadline,
    });
    assert.equal(decideRule(run(done)).phase, 'Done');
  });

  it('fails with the command, the pod and the last line it wrote', () => {
    const outcome = {
      kind: 'Ended',
      result: { exitCode: 3, stdout: 'a\n', stderr: 'no such table, password=hunter2' },
    } as const;
    const verdict = decideRule(run(step('Foreground', afterForeground(target(), outcome, facts))));
    assert.deepEqual(verdict, {
      phase: 'Failed',
      code: 'CommandFailed',
      message:
        'Rule hold: the command ended with exit code 3 in shop/db-0 (container db): no such table, password=[redacted]',
    });
  });

  it('is not failed by an action that says Continue', () => {
    const failed = { ...step('Foreground', target({ state: 'Failed' })), onError: 'Continue' } as const;
    assert.equal(decideRule(run(failed)).phase, 'Done');
  });

  it('is retried with growing pauses up to a limit', () => {
    const failed = run(step('Foreground', target({ state: 'Failed', message: 'no' })));
    assert.deepEqual(decideRuleRetry(failed, ruleLimits), { do: 'retry', attempt: 2, afterSeconds: 5 });
    assert.deepEqual(decideRuleRetry({ ...failed, attempt: 4 }, ruleLimits), {
      do: 'retry',
      attempt: 5,
      afterSeconds: 40,
    });
    assert.equal(decideRuleRetry({ ...failed, attempt: 5 }, ruleLimits).do, 'fail');
  });
});

describe('a background command', () => {
  it('has a deadline once it holds', () => {
    const after = afterStart(target({ key: 'k' }), { phase: 'Holding', output: '' }, facts);
    assert.equal(after.state, 'Holding');
    assert.equal(after.deadline, '2026-01-01T00:15:00.000Z');
  });

  it('is consistent only when it was seen holding after the cut and then ended well', () => {
    const proven = afterProof(held(), { phase: 'Holding', output: '' }, facts);
    assert.equal(decideConsistency(run(step('Background', proven))).consistent, 'Yes');
    assert.equal(decideConsistency(run(step('Background', held()))).consistent, 'No');
    const ended = { phase: 'Ended', exitCode: 0, held: 'Yes', expired: 'No', heldMs: 412, output: 'max 17\n' } as const;
    const released = afterRelease(proven, ended, facts);
    assert.equal(released.state, 'Done');
    assert.equal(released.output, 'max 17');
    assert.equal(mayHold(run(step('Background', released))), false);
    assert.equal(decideConsistency(run(step('Background', released))).consistent, 'Yes');
    assert.deepEqual(summarizeHold(run(step('Background', released))), {
      heldMs: 412,
      text: 'Writers were blocked for 412 ms (shop/db-0)',
    });
    const broken = afterRelease(proven, { ...ended, exitCode: 1 }, facts);
    assert.equal(decideConsistency(run(step('Background', broken))).consistent, 'No');
  });

  it('is not consistent when its own deadline, or anything else, ended the hold before the cut was known', () => {
    const ended = { phase: 'Ended', exitCode: 0, held: 'Yes', heldMs: 1, output: '' } as const;
    for (const seen of [
      { ...ended, expired: 'Yes' },
      { ...ended, expired: 'No' },
      { phase: 'Lost', output: '' },
      { phase: 'Absent' },
      { kind: 'PodGone' },
      { kind: 'NotReached', message: 'no answer' },
    ] as const) {
      const after = afterProof(held(), seen, facts);
      assert.equal(after.state, 'Failed');
      assert.equal(after.reason, 'NotConsistent');
    }
  });

  it('is released again while its pod cannot be reached, until its deadline has passed', () => {
    const unreachable = { kind: 'NotReached', message: 'no answer' } as const;
    const holding = held({ deadline: '2026-01-01T00:15:00.000Z' });
    assert.equal(mayHold(run(step('Background', afterRelease(holding, unreachable, facts)))), true);
    const later = { ...facts, now: new Date('2026-01-01T00:17:00Z') };
    assert.equal(mayHold(run(step('Background', afterRelease(holding, unreachable, later)))), false);
  });

  it('needs no release where nothing was started or the pod is gone', () => {
    const never = afterRelease(target({ key: 'k' }), { phase: 'Absent' }, facts);
    assert.deepEqual([never.state, never.released], ['Planned', 'Yes']);
    const gone = afterRelease(held({ provenTime: 't' }), { kind: 'PodGone' }, facts);
    assert.deepEqual([gone.state, gone.released], ['Done', 'Yes']);
  });
});
