import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PodSpec, writtenClaims } from './written-claims.ts';

const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }];
const mount = (readOnly: boolean) => ({ name: 'app', volumeMounts: [{ name: 'v', mountPath: '/d', readOnly }] });

describe('what a pod may write to', () => {
  const cases: readonly (readonly [name: string, spec: PodSpec, claims: readonly string[]])[] = [
    ['a mount', { containers: [mount(false)], volumes }, ['data']],
    ['not a read-only mount', { containers: [mount(true)], volumes }, []],
    ['one of several mounts', { containers: [mount(true)], initContainers: [mount(false)], volumes }, ['data']],
    [
      'not a read-only claim',
      {
        containers: [mount(false)],
        volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data', readOnly: true } }],
      },
      [],
    ],
    [
      'a device',
      { containers: [{ name: 'app', volumeDevices: [{ name: 'v', devicePath: '/dev/x' }] }], volumes },
      ['data'],
    ],
    ['what no container names', { containers: [{ name: 'app' }], volumes }, ['data']],
  ];
  for (const [name, spec, claims] of cases) it(name, () => assert.deepEqual(writtenClaims(spec), claims));
});
