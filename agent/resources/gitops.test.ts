import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject, ObjectMeta } from '../../kube/client/client.ts';
import { decideApply } from './apply/decide-apply.ts';
import { type ArgoCd, findArgoCd, findGitOpsOwner } from './gitops.ts';
import { storkNames } from './names.ts';
import { configMap, deployment } from './testing/sample-objects.ts';
import { transformObject } from './transform/transform-object.ts';

const withMeta = (object: AnyObject, metadata: Partial<ObjectMeta>): AnyObject => ({
  ...object,
  metadata: { ...object.metadata, ...metadata },
});
const tracked = { annotations: { 'argocd.argoproj.io/tracking-id': 'shop:/ConfigMap:db/settings' } };
const facts = {
  pairId: 'p',
  migration: { namespace: 'db', name: 'm', time: '2026-01-01T00:00:00Z' },
  grant: { namespaces: ['*'], clusterScopedKinds: [] },
};

describe('objects that Git keeps', () => {
  it('are known by the marks of Argo CD and Flux', () => {
    const ownerOf = (metadata: Partial<ObjectMeta>) => findGitOpsOwner(withMeta(configMap('db'), metadata), 'Absent');
    assert.equal(ownerOf(tracked), 'Argo CD (application shop)');
    assert.equal(ownerOf({ labels: { 'argocd.argoproj.io/instance': 'web' } }), 'Argo CD (application web)');
    const flux = 'kustomize.toolkit.fluxcd.io';
    const labels = { [`${flux}/name`]: 'shop', [`${flux}/namespace`]: 'flux-system' };
    assert.equal(ownerOf({ labels }), 'Flux (Kustomization flux-system/shop)');
    assert.equal(ownerOf({ labels: { 'helm.toolkit.fluxcd.io/name': 'db' } }), 'Flux (HelmRelease db)');
    assert.equal(ownerOf({ labels: { 'app.kubernetes.io/instance': 'web' } }), undefined);
  });

  it("are known by the label that Argo CD shares with others only where it is installed, and never when it is Helm's or a copy's", () => {
    const labels = { 'app.kubernetes.io/instance': 'web' };
    const ownerOf = (annotations: Readonly<Record<string, string>>, argoCd: ArgoCd = 'Installed') =>
      findGitOpsOwner(withMeta(configMap('db'), { labels, annotations }), argoCd);
    assert.equal(ownerOf({}), 'Argo CD (application web)');
    assert.equal(ownerOf({}, 'Absent'), undefined);
    assert.equal(ownerOf({ 'meta.helm.sh/release-name': 'web' }), undefined);
    assert.equal(ownerOf({ [storkNames.migrationPair]: 'p' }), undefined);
    assert.equal(findArgoCd([{ group: 'argoproj.io', kind: 'Application' }]), 'Installed');
    assert.equal(findArgoCd([{ group: 'argoproj.io', kind: 'Workflow' }]), 'Absent');
  });

  it('leave their marks behind, so that no controller over there prunes the copy', () => {
    const context = { pairId: 'p', namespaces: ['db'], serviceAddresses: 'Clear', registrations: [] } as const;
    assert.equal(findGitOpsOwner(transformObject(withMeta(configMap('db'), tracked), context), 'Installed'), undefined);
  });

  it('are never overwritten on the destination, ours or not', () => {
    const ours = { annotations: { ...tracked.annotations, [storkNames.migrationPair]: 'p' } };
    for (const metadata of [tracked, ours]) {
      const live = withMeta(configMap('db', { key: 'from Git' }), metadata);
      const decision = decideApply(configMap('db', { key: 'newer' }), live, facts);
      assert.equal(decision.do === 'leave' && decision.result, 'Conflict');
      assert.match(decision.do === 'leave' ? (decision.reason ?? '') : '', /Argo CD \(application shop\) manages it/);
      const same = decideApply(configMap('db', { key: 'from Git' }), live, facts);
      assert.equal(same.do === 'leave' && same.result, 'Unchanged');
    }
  });

  it('may run or rest: that is no difference', () => {
    const context = { pairId: 'p', namespaces: ['db'], serviceAddresses: 'Clear', registrations: [] } as const;
    const live = withMeta(deployment('db', { replicas: 3 }), tracked);
    const decision = decideApply(transformObject(deployment('db', { replicas: 3 }), context), live, facts);
    assert.equal(decision.do === 'leave' && decision.result, 'Unchanged');
  });
});
