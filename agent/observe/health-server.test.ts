import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CheckResult, startHealthServer } from './health-server.ts';
import { createMetrics } from './metrics.ts';

describe('the health server', () => {
  it('answers health, readiness with the failing check, metrics, and nothing else', async () => {
    const metrics = createMetrics('v1.2.3');
    metrics.observeLinks(() => [{ pair: 'ns/p', connected: 'Yes', roundTripMs: 12 }]);
    metrics.counter('stork_things_total', 'Things', ['kind'])({ kind: 'a' }, 3);
    metrics.controllers.depth?.('migration', 4);
    let leading: CheckResult = { ok: 'No', reason: 'waiting for the lease' };
    await using server = await startHealthServer({
      port: 0,
      host: '127.0.0.1',
      metrics,
      health: [{ name: 'alive', run: () => ({ ok: 'Yes' }) }],
      readiness: [{ name: 'leader', run: () => leading }],
    });
    const get = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
      return { status: response.status, body: await response.text() };
    };
    assert.deepEqual(await get('/healthz'), { status: 200, body: '[+] alive\nok\n' });
    assert.deepEqual(await get('/readyz'), { status: 503, body: '[-] leader: waiting for the lease\nnot ok\n' });
    leading = { ok: 'Yes' };
    assert.equal((await get('/readyz?verbose')).status, 200);
    const { body } = await get('/metrics');
    assert.match(body, /stork_pair_connected\{pair="ns\/p"\} 1/);
    assert.match(body, /stork_pair_round_trip_seconds\{pair="ns\/p"\} 0.012/);
    assert.match(body, /stork_things_total\{kind="a"\} 3/);
    assert.match(body, /stork_controller_queue_depth\{controller="migration"\} 4/);
    assert.match(body, /stork_agent_build_info\{version="v1.2.3"\} 1/);
    assert.equal((await get('/debug')).status, 404);
    assert.equal((await get('/metrics', 'POST')).status, 405);
  });
});
