/** `tar | TLS socket | untar` of a folder, over the same link as the movers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { issueServingTls } from '../../agent/peer/serving-tls.ts';
import { type LinkShape, shapedLink } from './shaped-link.ts';

const program = fileURLToPath(new URL('./tls-end.ts', import.meta.url));

/** Resolves with the milliseconds until everything is unpacked and on storage. */
export async function tarPipe(from: string, to: string, shape: LinkShape | undefined): Promise<number> {
  const tls = issueServingTls({
    authorityName: 'ca',
    dnsNames: ['localhost'],
    authority: undefined,
    now: new Date(),
    randomBytes,
  });
  const env = { ...process.env, BENCH_KEY: tls.key, BENCH_CERTIFICATE: tls.certificate, BENCH_CA: tls.authority };
  const end = (args: readonly string[], stdio: readonly ['pipe' | 'ignore', 'pipe' | 'ignore', 'pipe' | 'inherit']) =>
    spawn(process.execPath, ['--no-warnings', program, ...args], { env, stdio: [...stdio] });
  const start = performance.now();
  const receiver = end(['listen'], ['ignore', 'pipe', 'pipe']);
  const [said]: Buffer[] = await once(assertStream(receiver.stderr), 'data');
  const relay = await startRelay(Number(String(said)), shape);
  const sender = end(['connect', String(relay.port)], ['pipe', 'ignore', 'inherit']);
  const packer = spawn('tar', ['-C', from, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const unpacker = spawn('sh', ['-c', 'tar -C "$1" -xf - && sync -f "$1"', 'sh', to], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  packer.stdout.pipe(assertStream(sender.stdin));
  assertStream(receiver.stdout).pipe(unpacker.stdin);
  await Promise.all([packer, sender, receiver, unpacker].map(ended));
  relay.close();
  return performance.now() - start;
}

async function startRelay(target: number, shape: LinkShape | undefined) {
  if (shape === undefined) return { port: target, close: () => undefined };
  const server = createServer((incoming) => {
    const outgoing = connect(target, '127.0.0.1');
    incoming.pipe(shapedLink(shape)).pipe(outgoing);
    outgoing.pipe(shapedLink(shape)).pipe(incoming);
    for (const socket of [incoming, outgoing]) socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, close: () => void server.close() };
}

async function ended(child: ChildProcess): Promise<void> {
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  if (code !== 0) throw new Error(`${child.spawnargs.join(' ')} ended with ${code}`);
}

function assertStream<T>(stream: T | null): T {
  if (stream === null) throw new Error('a pipe is missing');
  return stream;
}
