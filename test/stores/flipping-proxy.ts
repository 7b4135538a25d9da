/** Passes TCP on to a server, and damages what it is told to: the first byte of each occurrence of `marker` towards the server. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface FlippingProxy extends AsyncDisposable {
  readonly endpoint: string;
  /** How often it did. */
  flipped(): number;
}

/** @param marker found also where the stream's pieces meet */
export async function flippingProxy(endpoint: string, marker: Uint8Array): Promise<FlippingProxy> {
  const { hostname, port } = new URL(endpoint);
  const open = new Set<Socket>();
  let flips = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    let held = Buffer.alloc(0);
    client.on('data', (piece) => {
      const bytes = Buffer.concat([held, Buffer.from(piece)]);
      for (let at = bytes.indexOf(marker); at !== -1; at = bytes.indexOf(marker, at + 1)) {
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        flips++;
      }
      // What may be the marker's beginning waits for the rest.
      const keep = longestBeginning(bytes, marker);
      held = Buffer.from(bytes.subarray(bytes.length - keep));
      upstream.write(bytes.subarray(0, bytes.length - keep));
    });
    client.on('end', () => upstream.end(held));
    upstream.pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    flipped: () => flips,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function longestBeginning(bytes: Buffer, marker: Uint8Array): number {
  for (let length = Math.min(marker.length - 1, bytes.length); length > 0; length--)
    if (bytes.subarray(bytes.length - length).equals(marker.subarray(0, length))) return length;
  return 0;
}
