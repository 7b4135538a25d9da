import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from '../../../crds/schema/index.ts';
import { type Migration, migrations } from '../../../crds/v1alpha1/index.ts';
import { tellStage } from './tell-migration.ts';

type Stage = NonNullable<NonNullable<Migration['status']>['stage']>;
const inStage = (stage: Stage): Migration =>
  applyDefaults(migrations.schema, {
    apiVersion: 'stork.libopenstorage.org/v1alpha1',
    kind: 'Migration',
    metadata: { name: 'm', namespace: 'shop' },
    spec: { clusterPair: 'b', namespaces: ['shop'] },
    status: { stage },
  });

const status = {
  volumes: [{ persistentVolumeClaim: 'data' }],
  activeSide: 'a (source) is active',
  summary: { volumes: '1/1', resources: '4/5', totalBytesMigrated: 1024, elapsed: '47s' },
};

const told: readonly (readonly [Stage, RegExp])[] = [
  ['', /^1 volumes of shop go to b, asked for by ann$/],
  ['Volumes', /^1\/1 volumes arrived and were verified, 1024 bytes sent$/],
  ['Applications', /^4\/5 resources migrated\. a \(source\) is active$/],
  ['Final', /^1\/1 volumes, 4\/5 resources, 1024 bytes sent in 47s, asked for by ann$/],
];

describe('the story of a migration', () => {
  for (const [stage, sentence] of told)
    it(`tells figures after ${stage || 'Initial'}`, () =>
      assert.match(tellStage(inStage(stage), status, 'ann') ?? '', sentence));
  it('says nothing of a rule: its events do', () =>
    assert.equal(tellStage(inStage('PreExecRule'), status, 'ann'), undefined));
});
