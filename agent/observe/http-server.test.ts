import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLog } from '../../kube/log.ts';
import { createHealth } from './health.ts';
import { startHttpServer } from './http-server.ts';
import { createMetrics } from './metrics.ts';

describe('the HTTP server for the kubelet and Prometheus', () => {
  it('is alive at once, ready when told, and shows metrics', async () => {
    const health = createHealth();
    const metrics = createMetrics();
    metrics.controllers.metrics?.depth?.('migration', 3);
    await using server = await startHttpServer({ port: 0, metrics, health, log: silentLog() });
    const get = (path: string) => fetch(`http://127.0.0.1:${server.port}${path}`);
    assert.equal((await get('/healthz')).status, 200);
    assert.equal((await get('/readyz')).status, 503);
    health.ready();
    assert.equal((await get('/readyz')).status, 200);
    assert.match(await (await get('/metrics')).text(), /stork_queue_depth\{controller="migration"\} 3/);
    assert.equal((await get('/secrets')).status, 404);
  });
});
