/**
 * The live connections of a pair: up to four sessions that live and die together. The first session to end ends all of
 * them, so that nobody keeps a half-working link; whoever dials then dials a new bundle.
 */
import type { ClientHttp2Session, Http2Session } from 'node:http2';
import type { Clock } from '../../../kube/clock.ts';
import type { Log } from '../../../kube/log.ts';
import type { PairFacts, PeerRoute } from '../peer.ts';
import { serveRoutes } from '../routes.ts';
import type { Line } from './dial.ts';
import { openClientSession, openServerSession, ping } from './http2-session.ts';
import type { Lane } from './preamble.ts';

export const pingLimits = {
  intervalMs: 10_000,
  /** Control messages are small: an answer that takes longer means the link is gone. */
  controlDeadlineMs: 15_000,
  /** A ping on the bulk lane stands in line behind data that is already in socket buffers. */
  bulkDeadlineMs: 60_000,
} as const;

type Clients = Readonly<Record<Lane, ClientHttp2Session | undefined>>;

export interface Bundle {
  readonly name: string;
  /** Sessions we can send requests on. */
  readonly clients: Clients;
  /** Resolves when the line carries HTTP/2. @throws StorkError when it ended before */
  attach(line: Line): Promise<void>;
  /** Ends all sessions at once: open requests and streams fail on both sides. */
  end(reason: string): void;
  /** Resolves when the bundle has ended. */
  readonly ended: Promise<string>;
}

export function openBundle(options: {
  readonly name: string;
  readonly routes: readonly PeerRoute[];
  readonly pair: () => PairFacts;
  readonly clock: Clock;
  readonly log: Log;
  /** A ping on the control lane was answered. */
  onPing(roundTripMs: number): void;
  /** One more of `clients` is there. */
  onLine(): void;
}): Bundle {
  const { routes, pair, clock, log } = options;
  const clients: { -readonly [L in keyof Clients]: Clients[L] } = { control: undefined, bulk: undefined };
  const sessions = new Map<string, Http2Session>();
  const { promise: ended, resolve: resolveEnded } = Promise.withResolvers<string>();
  const timers = new DisposableStack();
  let over = false;

  const end = (reason: string) => {
    if (over) return;
    over = true;
    timers.dispose();
    clients.control = undefined;
    clients.bulk = undefined;
    for (const session of sessions.values()) session.destroy();
    sessions.clear();
    resolveEnded(reason);
  };
  const keep = (line: Line, session: Http2Session) => {
    const key = `${line.role} ${line.lane}`;
    const former = sessions.get(key);
    sessions.set(key, session);
    former?.destroy();
    session.once('close', () => {
      if (sessions.get(key) === session) end(`the ${line.lane} connection closed`);
    });
  };
  const keepAlive = (lane: Lane, session: ClientHttp2Session) => {
    const deadlineMs = lane === 'control' ? pingLimits.controlDeadlineMs : pingLimits.bulkDeadlineMs;
    const beat = async () => {
      try {
        const roundTripMs = await ping(session, clock, deadlineMs);
        if (lane === 'control') options.onPing(roundTripMs);
        if (!over) timers.use(clock.after(pingLimits.intervalMs, () => void beat()));
      } catch {
        // Whatever the failure, its only consequence is this end; dialling reports its own errors.
        end(`a ping on the ${lane} connection was not answered`);
      }
    };
    void beat();
  };
  return {
    name: options.name,
    clients,
    ended,
    end,
    async attach(line) {
      if (over) return void line.socket.destroy();
      if (line.role === 'server') {
        const session = openServerSession(line.socket);
        const kind = line.lane === 'control' ? 'json' : 'stream';
        serveRoutes(session, { routes: routes.filter((route) => route.kind === kind), pair, log });
        keep(line, session);
        return;
      }
      const session = await openClientSession(line.socket, clock);
      if (over) return session.destroy();
      keep(line, session);
      clients[line.lane] = session;
      keepAlive(line.lane, session);
      options.onLine();
    },
  };
}
