import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideName, decideServer, isAllowed } from './decide-server.ts';

describe('the server that a kubeconfig in a ClusterPair names', () => {
  for (const host of ['api.east.example', '192.0.2.7', '2001:db8::7', 'xn--bcher-kva.example']) {
    it(`may be called ${host}`, () => assert.deepEqual(decideName(host), { do: 'go' }));
  }

  for (const host of [
    'localhost',
    'api.localhost',
    'kubernetes',
    'kubernetes.default.svc',
    'kubernetes.default.svc.',
    'mysql.shop.svc.cluster.local',
    'MYSQL.shop.SVC.other.domain',
    'node-1.cluster.local',
  ]) {
    it(`may not be called ${host}`, () => assert.equal(decideName(host).do, 'refuse'));
  }

  for (const address of ['10.1.2.3', '192.168.7.1', '172.16.0.1', '203.0.113.7', 'fd12:3456::1', '2001:db8::1']) {
    it(`may stand for ${address}`, () =>
      assert.deepEqual(decideServer({ addresses: [address], inside: undefined }), { do: 'go' }));
  }

  for (const [address, kind] of [
    ['127.0.0.1', /loopback/],
    ['127.99.1.1', /loopback/],
    ['::1', /loopback/],
    ['::ffff:127.0.0.1', /loopback|disguise/],
    ['::ffff:10.1.2.3', /disguise/],
    ['64:ff9b::a9fe:a9fe', /disguise/],
    ['169.254.169.254', /link-local/],
    ['fe80::1', /link-local/],
    ['0.0.0.0', /no address of a server/],
    ['255.255.255.255', /no address of a server/],
    ['224.0.0.1', /no address of a server/],
    ['::', /no address of a server/],
    ['100.100.100.200', /cloud/],
    ['fd00:ec2::254', /cloud/],
  ] as const) {
    it(`may not stand for ${address}, even among others`, () => {
      const decision = decideServer({ addresses: ['203.0.113.7', address], inside: undefined });
      assert.equal(decision.do, 'refuse');
      assert.match(decision.do === 'refuse' ? decision.what : '', kind);
    });
  }

  it('may not stand for a Service or pod of this cluster, nor for nothing', () => {
    const inside = decideServer({ addresses: ['10.96.0.1'], inside: 'Service default/kubernetes' });
    assert.match(inside.do === 'refuse' ? inside.what : '', /Service default\/kubernetes/);
    assert.equal(decideServer({ addresses: [], inside: undefined }).do, 'refuse');
  });

  it('may be what the allow-list names, by host, address or range', () => {
    const allowed = ['localhost', '10.96.0.0/12', 'fd00::/8', '127.0.0.1', 'not/a/range'];
    for (const host of ['localhost', '10.96.0.1', 'fd00::1', '127.0.0.1']) assert.ok(isAllowed(host, allowed), host);
    for (const host of ['localhost.', '10.112.0.1', 'fe80::1', '127.0.0.2']) assert.ok(!isAllowed(host, allowed), host);
  });
});
