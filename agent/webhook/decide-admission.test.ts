import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requesterAnnotation } from '../../crds/agent-names.ts';
import { renderRequester } from '../requester/requester.ts';
import { type AdmissionRequest, decideMutation, decideValidation } from './decide-admission.ts';

const ann = { username: 'ann', groups: ['shop-owners', 'system:authenticated'] };
const bob = { username: 'bob', uid: '7', extra: { scopes: ['all'] } };
const spec = { clusterPair: 'west', namespaces: ['shop'] };
const forged = renderRequester({ username: 'admin', groups: ['system:masters'] });

const aMigration = (stamp?: string, changes: { readonly spec?: object; readonly labels?: object } = {}) => ({
  metadata: {
    name: 'm',
    ...(stamp === undefined ? {} : { annotations: { [requesterAnnotation]: stamp } }),
    ...(changes.labels === undefined ? {} : { labels: changes.labels }),
  },
  spec: changes.spec ?? spec,
});
const create = (object: unknown, userInfo = ann): AdmissionRequest => ({ operation: 'CREATE', userInfo, object });
const update = (object: unknown, oldObject: unknown, userInfo: AdmissionRequest['userInfo'] = bob) => ({
  ...{ operation: 'UPDATE', userInfo, object, oldObject },
});

/** The stamp after mutation; `refused` when there is none. */
function stampAfter(request: AdmissionRequest): string | undefined {
  const decision = decideMutation(request);
  if (decision.do === 'refuse') return 'refused';
  const written = decision.patch.find(({ path }) => path.endsWith('requester'));
  if (written !== undefined) return 'value' in written ? String(written.value) : undefined;
  return Object(request.object).metadata.annotations?.[requesterAnnotation];
}

describe('admission of an operation', () => {
  const annWrote = renderRequester(ann);
  const cases: readonly (readonly [name: string, request: AdmissionRequest, stamp: string | undefined])[] = [
    ['marks a new one with its requester', create(aMigration()), annWrote],
    ['overwrites a forged mark', create(aMigration(forged)), annWrote],
    [
      'keeps the mark when metadata changes',
      update(aMigration(annWrote, { labels: { a: 'b' } }), aMigration(annWrote)),
      annWrote,
    ],
    ['puts the mark back when it was left out', update(aMigration(), aMigration(annWrote)), annWrote],
    ['refuses to change the mark', update(aMigration(forged), aMigration(annWrote)), 'refused'],
    ['refuses to mark what has none', update(aMigration(forged), aMigration()), 'refused'],
    [
      'marks whoever changes the spec, whatever they claim',
      update(aMigration(forged, { spec: { ...spec, namespaces: ['blog'] } }), aMigration(annWrote)),
      renderRequester(bob),
    ],
    ['leaves an unmarked one unmarked when nothing is asked for', update(aMigration(), aMigration()), undefined],
    ['survives objects that are none', create('nonsense'), annWrote],
    [
      'refuses a requester who does not fit',
      create(aMigration(), { username: 'x', groups: ['g'.repeat(65_000), 'h'.repeat(600)] }),
      'refused',
    ],
  ];
  for (const [name, request, stamp] of cases) it(name, () => assert.equal(stampAfter(request), stamp));

  it('makes room for annotations where there are none', () => {
    const decision = decideMutation(create(aMigration()));
    assert.ok(decision.do === 'allow');
    assert.deepEqual(
      decision.patch.map(({ op, path }) => `${op} ${path}`),
      ['add /metadata/annotations', 'add /metadata/annotations/stork.libopenstorage.org~1requester'],
    );
  });

  it('stores nothing that another webhook changed after the mark was written', () => {
    const ofAnn = aMigration(annWrote);
    assert.equal(decideValidation(create(ofAnn)).do, 'allow');
    assert.equal(decideValidation(create(aMigration(forged))).do, 'refuse');
    assert.equal(decideValidation(create(aMigration())).do, 'refuse');
    assert.equal(decideValidation(update(ofAnn, ofAnn)).do, 'allow');
    assert.equal(decideValidation(update(aMigration(annWrote, { spec: {} }), ofAnn)).do, 'refuse');
  });
});
