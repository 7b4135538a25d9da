/** One end of the pipe that movers are compared with: `listen` writes what arrives to stdout, `connect PORT` sends stdin. */
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { connect, createServer, type TLSSocket } from 'node:tls';

const [role, port] = process.argv.slice(2);
const { BENCH_KEY: key, BENCH_CERTIFICATE: cert, BENCH_CA: ca } = process.env;
if (role === 'listen') {
  const server = createServer({ key, cert, minVersion: 'TLSv1.3' });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  process.stderr.write(`${typeof address === 'object' ? address?.port : ''}\n`);
  const [socket]: TLSSocket[] = await once(server, 'secureConnection');
  if (socket !== undefined) await pipeline(socket, process.stdout);
  server.close();
} else {
  const socket = connect({ port: Number(port), host: '127.0.0.1', servername: 'localhost', ca });
  await once(socket, 'secureConnect');
  // What the other end says must be read: a socket closed over unread bytes resets what is still on its way.
  socket.resume();
  const closed = once(socket, 'close');
  process.stdin.pipe(socket);
  await closed;
}
