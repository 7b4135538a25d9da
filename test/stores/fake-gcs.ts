/** fake-gcs-server, an emulator of Google Cloud Storage, on loopback and in memory. It asks for no credentials. */
import { ensureBinaries } from '../testbed/binaries.ts';
import { freePort, startServer } from './loopback.ts';

export interface GoogleCloudServer extends AsyncDisposable {
  readonly endpoint: string;
  makeBucket(name: string): Promise<void>;
}

export async function startFakeGcs(): Promise<GoogleCloudServer> {
  const binaries = await ensureBinaries(['fake-gcs-server'], (line) => void process.stderr.write(`${line}\n`));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const place = ['-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-public-host', address];
  const stop = await startServer({
    program: binaries.path('fake-gcs-server'),
    args: [...place, '-backend', 'memory', '-log-level', 'error'],
    address,
    options: { env: {}, stdio: ['ignore', 'ignore', 'inherit'] },
  });
  return {
    endpoint: `http://${address}`,
    async makeBucket(name) {
      const body = JSON.stringify({ name });
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`http://${address}/storage/v1/b?project=test`, { method: 'POST', body, headers });
      if (!answer.ok) throw new Error(`bucket ${name}: ${answer.status} ${await answer.text()}`);
    },
    [Symbol.asyncDispose]: stop,
  };
}
