/** For tests: a store served on loopback with TLS, and the client's side of it. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../../../kube/clock.ts';
import { memoryLog } from '../../../../kube/log.ts';
import { issueServingTls } from '../../../peer/serving-tls.ts';
import { memoryStore } from '../../store/memory-store.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { type RestStoreOptions, restStore } from '../../store/rest-store.ts';
import { parsePasswordFile, renderPasswordLine } from '../password-file.ts';
import { type ServeOptions, serveRepository } from '../serve-repository.ts';

export const credentials = { username: 'alice', password: 'very: secret' };

/** An authority and a certificate of it for `localhost`. */
export const newTls = () =>
  issueServingTls({ authorityName: 'test', dnsNames: ['localhost'], now: systemClock().now(), randomBytes });

export async function serveStore(store: ObjectStore = memoryStore(), changes: Partial<ServeOptions> = {}) {
  const tls = newTls();
  const log = memoryLog();
  const line = await renderPasswordLine(credentials.username, credentials.password, randomBytes(16));
  const serving = await serveRepository({
    ...{ store, listen: { host: '127.0.0.1', port: 0 }, clock: systemClock(), log, randomBytes },
    tls: { cert: tls.certificate, key: tls.key, clientCa: undefined },
    users: parsePasswordFile(line, 'users', randomBytes(32)),
    ...{ removal: 'Allowed', maxBytes: undefined, maxObjectBytes: 8 * 1024 * 1024 },
    ...changes,
  });
  const url = `https://localhost:${serving.port}/`;
  const client = (how: Partial<RestStoreOptions> = {}) =>
    restStore({
      ...{ url, description: `rest:${url}`, credentials },
      tls: { ca: tls.authority, fingerprint: undefined, client: undefined },
      ...how,
    });
  return { serving, tls, url, log, client, [Symbol.asyncDispose]: () => serving.close() };
}
