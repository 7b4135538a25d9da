import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { enforcedLevel, whyPrivileged } from './pod-security.ts';

const withContext = (securityContext: object) => ({ containers: [{ name: 'web', securityContext }] });

describe('what a pod has that baseline does not admit', () => {
  for (const [pod, why] of [
    [{ hostNetwork: true }, 'it has hostNetwork'],
    [{ volumes: [{ name: 'root', hostPath: { path: '/' } }] }, 'volume root is a path of the node'],
    [{ securityContext: { seccompProfile: { type: 'Unconfined' } } }, 'it has seccompProfile Unconfined'],
    [{ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }, 'it sets sysctl kernel.msgmax'],
    [withContext({ privileged: true }), 'container web is privileged'],
    [withContext({ capabilities: { add: ['CHOWN', 'SYS_ADMIN'] } }), 'container web adds capability SYS_ADMIN'],
    [withContext({ procMount: 'Unmasked' }), 'container web has procMount Unmasked'],
    [withContext({ seLinuxOptions: { type: 'spc_t' } }), 'container web has seLinuxOptions.type spc_t'],
    [{ containers: [{ name: 'web', ports: [{ containerPort: 80, hostPort: 80 }] }] }, 'container web has hostPort 80'],
    [{ initContainers: [{ name: 'first', securityContext: { privileged: true } }] }, 'container first is privileged'],
    [withContext({ windowsOptions: { hostProcess: true } }), 'container web has hostProcess'],
  ] as const)
    it(why, () => assert.equal(whyPrivileged(pod), why));

  it('is nothing for a plain pod, root or not', () => {
    const plain = {
      ...withContext({ runAsUser: 0, capabilities: { add: ['CHOWN'] } }),
      volumes: [{ name: 'a', emptyDir: {} }],
    };
    assert.equal(whyPrivileged(plain), undefined);
    assert.equal(whyPrivileged({}), undefined);
  });
});

describe('what a namespace enforces', () => {
  for (const [label, level] of [
    ['baseline', 'baseline'],
    ['restricted', 'restricted'],
    ['privileged', undefined],
    [undefined, undefined],
  ] as const)
    it(`${label} is ${level ?? 'nothing'}`, () => {
      const labels = label === undefined ? {} : { 'pod-security.kubernetes.io/enforce': label };
      assert.equal(enforcedLevel({ metadata: { name: 'db', labels } }), level);
    });
});
