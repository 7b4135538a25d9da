/**
 * HTTP/1.1 requests for a part of something whose length is known before: the answer's body goes from the socket into the one buffer that
 * it is handed on in. No streams, no pieces, no copies: for a restore's bytes these cost more than signing, deciphering and MAC together.
 * Whatever is not plainly that part is left to a complete client: an answer without its body says so.
 */
import { connect, type Socket, type SocketConstructorOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface PlainServer {
  readonly host: string;
  readonly port: number;
  /** Undefined: no TLS. */
  readonly tls: { /** PEM, instead of the system's. */ readonly ca: string | undefined } | undefined;
  readonly connectWithinMs: number;
  /** Without a byte in either direction. */
  readonly silentAtMostMs: number;
}

export interface PlainRequest {
  readonly path: string;
  /** With `host`. */
  readonly headers: Readonly<Record<string, string>>;
  /** At least 1. */
  readonly wantedBytes: number;
}

export interface PlainAnswer {
  readonly status: number;
  /** By names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  /** Alone in its memory. Undefined when it isn't a 206 of exactly the wanted length. */
  readonly body: Buffer | undefined;
}

export interface PlainHttp {
  /** Throws what the socket threw, and the signal's reason. Undefined when the request can't be written as it is. */
  get(request: PlainRequest, signal: AbortSignal | undefined): Promise<PlainAnswer | undefined>;
}

/** Connections are kept for the next request, and keep no process from ending. As many at once as the caller asks for. */
export function plainHttp(server: PlainServer): PlainHttp {
  const idle: PlainConnection[] = [];
  const ask = async (
    connection: PlainConnection,
    head: string,
    wantedBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<PlainAnswer> => {
    const stop = () => connection.end(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const { answer, mayBeKept } = await connection.ask(head, wantedBytes);
      if (mayBeKept) idle.push(connection);
      else connection.end();
      return answer;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  };
  return {
    async get(request, signal) {
      signal?.throwIfAborted();
      const head = headOf(request);
      if (head === undefined) return undefined;
      for (let kept = idle.pop(); kept !== undefined; kept = idle.pop()) {
        if (!kept.isOpen()) continue;
        try {
          return await ask(kept, head, request.wantedBytes, signal);
        } catch (error) {
          // A server may close what it has kept for long enough just when it is asked again.
          if (signal?.aborted || kept.hasAnswered()) throw error;
        }
        break;
      }
      return await ask(plainConnection(server), head, request.wantedBytes, signal);
    },
  };
}

/** What may stand in a request's head without ending a line. */
const printable = /^[\x20-\x7e]*$/;

function headOf({ path, headers }: PlainRequest): string | undefined {
  const lines = [`GET ${path} HTTP/1.1`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  const isPlain = !path.includes(' ') && lines.every((line) => printable.test(line));
  return isPlain ? `${lines.join('\r\n')}\r\nconnection: keep-alive\r\n\r\n` : undefined;
}

interface PlainConnection {
  /** One at a time. */
  ask(head: string, wantedBytes: number): Promise<{ readonly answer: PlainAnswer; readonly mayBeKept: boolean }>;
  isOpen(): boolean;
  /** Whether a byte came since the last request. */
  hasAnswered(): boolean;
  end(reason?: unknown): void;
}

interface Asking {
  readonly wantedBytes: number;
  readonly resolve: (outcome: { readonly answer: PlainAnswer; readonly mayBeKept: boolean }) => void;
  readonly reject: (error: unknown) => void;
  head: ParsedHead | undefined;
  body: Buffer | undefined;
}

const headLimitBytes = 16 * 1024;

function plainConnection(server: PlainServer): PlainConnection {
  const headPlace = Buffer.allocUnsafeSlow(headLimitBytes);
  /** In the head's place, or in the body's once there is one. */
  let received = 0;
  let answered = false;
  let asking: Asking | undefined;
  const fail = (error: unknown) => {
    asking?.reject(error);
    asking = undefined;
    socket.destroy();
  };
  const finish = ({ head, body }: Asking & { readonly head: ParsedHead }, isDone: boolean) => {
    const { status, headers } = head;
    asking?.resolve({ answer: { status, headers, body }, mayBeKept: isDone && head.isKept });
    asking = undefined;
    received = 0;
    socket.unref();
  };
  const readHead = (now: Asking) => {
    const end = headPlace.subarray(0, received).indexOf('\r\n\r\n');
    if (end < 0) return received < headLimitBytes || fail(new Error('an answer has a head without an end'));
    const head = parseHead(headPlace.toString('latin1', 0, end));
    if (head === undefined) return fail(new Error('what answers speaks no HTTP'));
    const rest = headPlace.subarray(end + 4, received);
    const isWanted = head.status === 206 && head.length === now.wantedBytes && rest.length <= now.wantedBytes;
    if (!isWanted) return finish({ ...now, head }, false);
    now.head = head;
    // Not before the server has said that there is so much.
    now.body = Buffer.allocUnsafeSlow(now.wantedBytes);
    now.body.set(rest);
    received = rest.length;
    return undefined;
  };
  const onBytes = (length: number): true => {
    // Nobody asked for it: whatever comes next would be taken for an answer.
    if (asking === undefined) socket.destroy();
    else {
      answered = true;
      received += length;
      if (asking.head === undefined) readHead(asking);
      const now = asking;
      if (now?.head !== undefined && received === now.wantedBytes) finish({ ...now, head: now.head }, true);
    }
    return true;
  };
  const place = () => (asking?.body ?? headPlace).subarray(received);
  const socket = openSocket(server, { buffer: place, callback: onBytes });
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the connection ended before the answer did')));
  return {
    ask: (head, wantedBytes) =>
      new Promise((resolve, reject) => {
        asking = { wantedBytes, resolve, reject, head: undefined, body: undefined };
        received = 0;
        answered = false;
        socket.ref();
        socket.write(head, 'latin1');
      }),
    isOpen: () => !socket.destroyed && socket.writable,
    hasAnswered: () => answered,
    end(reason) {
      if (asking === undefined) socket.destroy();
      else fail(reason);
    },
  };
}

type OnRead = NonNullable<SocketConstructorOpts['onread']>;

function openSocket({ host, port, tls, ...patience }: PlainServer, onread: OnRead): Socket {
  const at = { host, port, noDelay: true, onread };
  const socket =
    tls === undefined
      ? connect(at)
      : connectTls({
          ...at,
          ALPNProtocols: ['http/1.1'],
          // A name; addresses are not sent.
          ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
          ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        });
  socket.setTimeout(patience.connectWithinMs);
  socket.once(tls === undefined ? 'connect' : 'secureConnect', () => socket.setTimeout(patience.silentAtMostMs));
  socket.on('timeout', () => socket.destroy(new Error('the server was silent for too long')));
  // Its end is told to those only who read, by whatever means.
  return socket.resume();
}

interface ParsedHead {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Of a body that is sent as it is; undefined when that is not certain. */
  readonly length: number | undefined;
  readonly isKept: boolean;
}

/** Undefined when it is none. */
function parseHead(text: string): ParsedHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const [, version, status] = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(first) ?? [];
  if (status === undefined) return undefined;
  const headers = new Map<string, string>();
  let isCertain = true;
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const known = name.toLowerCase();
    if (known === 'transfer-encoding' || known === 'content-encoding') isCertain = false;
    if (known === 'content-length' && headers.has(known)) isCertain = false;
    headers.set(known, value);
  }
  const length = headers.get('content-length') ?? '';
  return {
    status: Number(status),
    headers,
    length: isCertain && /^\d{1,15}$/.test(length) ? Number(length) : undefined,
    isKept: version === '1' && !/\bclose\b/i.test(headers.get('connection') ?? ''),
  };
}
