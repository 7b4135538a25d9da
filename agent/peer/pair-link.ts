/**
 * One pair's link: keeps a bundle of connections alive (dialling where we know an address), sends requests over it, and
 * knows its state. A wider grant holds from the next request on; a narrower one and a lost admission end all that is open.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { askCapacity, type ClassCapacity } from './capacity.ts';
import { greet, helloIntervalMs } from './hello.ts';
import type { Identity } from './identity.ts';
import { type Bundle, openBundle } from './link/bundle.ts';
import { describeLink } from './link/describe-link.ts';
import { bundleLines, dialLine, type Line } from './link/dial.ts';
import { type DialLoop, type DialOutcome, startDialLoop } from './link/dial-loop.ts';
import type { SelfDescription } from './link/join.ts';
import { type AdmissionFacts, passingRefusals, type Refusal } from './link/refusal.ts';
import { narrowsGrant } from './narrows-grant.ts';
import type { LinkState, PairFacts, Peer, PeerCall, PeerGrant, PeerRoute } from './peer.ts';
import { openStreamOn, requestOn } from './requests.ts';

/** What pairing declares of a pair. */
export interface PairConfig extends AdmissionFacts {
  /** uid, namespace and name of the ClusterPair. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly pairId: string;
  /** Where to dial; none: the peer dials us. */
  readonly endpoints: readonly string[];
  readonly grant: PeerGrant;
  /** The peer's name for its cluster as last heard, until it says it anew. */
  readonly cluster: string;
}

export interface PairLinkOptions {
  readonly identity: Identity;
  readonly self: SelfDescription;
  readonly routes: readonly PeerRoute[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  readonly log: Log;
  /** The peer has replaced its key: `to` is signed by the one we trusted. Durable when it resolves. */
  onSuccession(pair: PairFacts, pins: { readonly from: string; readonly to: string }): Promise<void>;
  /** The state changed in a way worth telling (not each ping). */
  onChange(): void;
}

/** A class for its lifetime: `close` ends it; until then it is the one Peer of its pair. */
export class PairLink implements Peer {
  readonly #options: PairLinkOptions;
  readonly #closing = new AbortController();
  readonly #dialLoop: DialLoop;
  readonly #log: Log;
  #config: PairConfig;
  #bundle: Bundle | undefined;
  #refusal: Refusal | undefined;
  #failure: Refusal | undefined;
  #peer: SelfDescription | undefined;
  #roundTripMs: number | undefined;
  #clockSkewMs: number | undefined;
  #capacity: readonly ClassCapacity[] | undefined;
  #lastSeen: Date | undefined;
  /** The bundle that last had all its lines, and when it had them, whoever dialled. */
  #complete: Bundle | undefined;
  #connectedAtMs: number | undefined;
  /** Names of bundles that ended: a line of theirs that comes late must not open them again. */
  readonly #retired: string[] = [];
  /** The peer's key on the lines we have. */
  #linePin: string | undefined;
  #succession: { readonly to: string; readonly done: Promise<void> } | undefined;
  /** Whether we have just asked the peer to be admitted and await its answer. */
  #asking: 'Yes' | 'No' = 'No';
  /** Ends with the next attempt to dial. */
  #attempt = Promise.withResolvers<void>();
  /** What `onChange` was last called for. */
  #told: LinkHealth | undefined;

  constructor(config: PairConfig, options: PairLinkOptions) {
    this.#config = config;
    this.#options = options;
    this.#log = options.log.with({ pair: `${config.namespace}/${config.name}` });
    this.#dialLoop = startDialLoop({
      ...options,
      endpoints: () => this.#dialTargets(),
      dial: (endpoint) => this.#dialBundle(endpoint),
      sinceConnectedMs: () =>
        this.#connectedAtMs === undefined ? undefined : options.clock.monotonicMs() - this.#connectedAtMs,
      signal: this.#closing.signal,
    });
  }

  get config(): PairConfig {
    return this.#config;
  }

  get facts(): PairFacts {
    const { pairId: id, uid, namespace, name, grant } = this.#config;
    return { id, uid, namespace, name, grant, cluster: this.cluster };
  }

  get pairId(): string {
    return this.#config.pairId;
  }

  get pair(): string {
    return `${this.#config.namespace}/${this.#config.name}`;
  }

  get cluster(): string {
    return this.#peer?.cluster ?? this.#config.cluster;
  }

  get grant(): PeerGrant {
    return this.#config.grant;
  }

  get link(): LinkState {
    const connected = this.#isConnected() ? 'Yes' : 'No';
    return {
      ...describeLink({ ...this.#config, connected, refusal: this.#refusal, failure: this.#failure }),
      roundTripMs: this.#roundTripMs,
      clockSkewMs: this.#clockSkewMs,
      lastSeen: this.#lastSeen,
      cluster: this.#peer?.cluster,
      version: this.#peer?.version,
      capacity: this.#capacity,
    };
  }

  get state(): Peer['state'] {
    const { state, code, message } = this.link;
    return state === 'Connected' ? ({ ready: 'Yes' } as const) : ({ ready: 'No', code, message } as const);
  }

  async request<Out>(call: PeerCall<Out>): Promise<Out> {
    const session = this.#bundle?.clients.control;
    if (session === undefined) throw this.#notConnected();
    return requestOn(session, call, this.#options.clock);
  }

  async openStream(path: string, signal?: AbortSignal): Promise<Duplex> {
    const session = this.#bundle?.clients.bulk;
    if (session === undefined) throw this.#notConnected();
    return openStreamOn(session, path, this.#options.clock, signal);
  }

  update(next: PairConfig): void {
    const former = this.#config;
    this.#config = next;
    // The connections of a peer that replaced its key carry the new one already.
    const rekeyed = next.peerPin !== former.peerPin && next.peerPin !== this.#linePin;
    const moved = rekeyed || next.pairId !== former.pairId;
    if (moved || next.admission !== 'Admitted') this.drop('the pair is not admitted');
    else if (narrowsGrant(former.grant, next.grant) === 'Yes') this.drop('its grant was narrowed');
    this.#dialLoop.poke();
  }

  /**
   * Both sides may dial. When each is about to be admitted by the other, the one with the smaller key goes first and the
   * other is told to wait; else each would end the other's connections.
   */
  yieldOrRefuse(): Refusal | undefined {
    const { identity } = this.#options;
    if (this.#asking === 'No' || identity.pin > this.#config.peerPin) return undefined;
    return { code: 'NotReady', message: 'Both clusters dial each other; the other connection goes first.' };
  }

  /** Takes a line that the peer dialled. That it can reach us means it is up, and worth dialling when this one breaks. */
  async accept(line: Line): Promise<void> {
    await this.attach(line);
    this.#dialLoop.encourage();
  }

  /** Takes a line that was admitted for this pair. */
  async attach(line: Line): Promise<void> {
    if (this.#retired.includes(line.bundle)) return void line.socket.destroy();
    this.#linePin = line.peerPin;
    await this.#follow(line.peerPin);
    // Revoked, or its confirmation taken back, while the line was on its way.
    if (this.#closing.signal.aborted || this.#config.admission !== 'Admitted') return void line.socket.destroy();
    this.#peer = line.peer;
    this.#lastSeen = this.#options.clock.now();
    await this.#bundleNamed(line.bundle).attach(line);
  }

  /** Dials without waiting for the next turn; resolves when an attempt has ended, or there is nothing to dial. */
  async dialNow(signal: AbortSignal): Promise<void> {
    if (this.#dialTargets().length === 0) return;
    const ended = this.#attempt.promise;
    this.#dialLoop.encourage();
    await Promise.race([ended, this.#options.clock.sleep(attemptMs, signal).catch(() => {})]);
  }

  /** Has a successor of the peer's key written down, once for all lines. */
  async #follow(to: string): Promise<void> {
    const { peerPin: from } = this.#config;
    if (to === from) return;
    if (this.#succession?.to !== to)
      this.#succession = { to, done: this.#options.onSuccession(this.facts, { from, to }) };
    try {
      await this.#succession.done;
    } catch (error) {
      this.#succession = undefined;
      throw error;
    }
  }

  /** Ends the connections; dialling goes on. */
  drop(reason: string): void {
    this.#bundle?.end(reason);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.drop('the pair was removed');
    await this.#dialLoop.done;
  }

  #bundleNamed(name: string): Bundle {
    if (this.#bundle?.name === name) return this.#bundle;
    this.drop('a newer connection took its place');
    const opened: Bundle = openBundle({
      name,
      routes: this.#options.routes,
      pair: () => this.facts,
      clock: this.#options.clock,
      log: this.#log,
      onPing: (roundTripMs) => {
        this.#roundTripMs = roundTripMs;
        this.#lastSeen = this.#options.clock.now();
      },
      onLine: () => {
        if (this.#bundle === opened && isComplete(opened)) this.#connected(opened);
      },
    });
    this.#bundle = opened;
    this.#watchEnd(opened);
    return opened;
  }

  #connected(bundle: Bundle): void {
    [this.#refusal, this.#failure] = [undefined, undefined];
    [this.#complete, this.#connectedAtMs] = [bundle, this.#options.clock.monotonicMs()];
    this.#log.info('peer connected', { cluster: this.cluster });
    this.#options.onChange();
    this.#greetRepeatedly(bundle);
  }

  async #watchEnd(bundle: Bundle): Promise<void> {
    const reason = await bundle.ended;
    this.#retired.push(bundle.name);
    if (this.#retired.length > maxRetired) this.#retired.shift();
    if (this.#bundle !== bundle) return;
    this.#bundle = undefined;
    if (this.#complete === bundle) this.#connectedAtMs = this.#options.clock.monotonicMs();
    this.#log.info('peer disconnected', { reason });
    this.#options.onChange();
    this.#dialLoop.poke();
  }

  /** Asks the peer for its name, version, time and free space, now and once in a while. */
  async #greetRepeatedly(bundle: Bundle): Promise<void> {
    const { clock, onChange } = this.#options;
    if (this.#bundle !== bundle) return;
    const again = clock.after(helloIntervalMs, () => void this.#greetRepeatedly(bundle));
    bundle.ended.then(() => again[Symbol.dispose]());
    try {
      const { peer, clockSkewMs } = await greet(this, clock, this.#closing.signal);
      [this.#peer, this.#clockSkewMs] = [peer, clockSkewMs];
      // A peer that can't look into its storage right now has told us all the same that it is there.
      this.#capacity = await askCapacity(this, this.#closing.signal).catch(() => this.#capacity);
      const capacity = JSON.stringify(this.#capacity);
      const health = { ...peer, clockSkewMs, capacity, roundTripMs: this.#roundTripMs ?? 0 };
      if (this.#told !== undefined && !isNotable(this.#told, health)) return;
      this.#told = health;
      onChange();
    } catch (error) {
      // Nothing depends on it, and a broken link shows by its pings.
      this.#log.debug('hello failed', { error });
    }
  }

  #dialTargets(): readonly string[] {
    const { endpoints, admission } = this.#config;
    return admission === 'Admitted' && this.#bundle === undefined ? endpoints : [];
  }

  /** One attempt at one address: the first line learns whether we are admitted, the others follow together. */
  async #dialBundle(endpoint: string): Promise<DialOutcome> {
    const bundle = Buffer.from(this.#options.randomBytes(12)).toString('base64url');
    const { pairId, peerPin } = this.#config;
    const { signal } = this.#closing;
    const dial = async (line: (typeof bundleLines)[number], beforeAsking?: () => void) =>
      this.attach(await dialLine({ ...this.#options, endpoint, line, bundle, pairId, peerPin, signal, beforeAsking }));
    const [head, ...others] = bundleLines;
    try {
      await dial(head, () => this.#ask());
      this.#asking = 'No';
      await Promise.all(others.map((line) => dial(line)));
      return { do: 'connected' };
    } catch (error) {
      if (this.#bundle?.name === bundle) this.drop('not all of its connections could be made');
      return { do: 'retry', refusal: this.#note(error) };
    } finally {
      this.#asking = 'No';
      this.#attempt.resolve();
      this.#attempt = Promise.withResolvers();
    }
  }

  /** @throws StorkError when the peer's own dial has connected us meanwhile */
  #ask(): void {
    if (this.#bundle !== undefined)
      throw new StorkError({ code: 'NotReady', message: 'The peer has connected already', retryable: true });
    this.#asking = 'Yes';
  }

  /** Remembers why dialling failed, and tells it once. @returns the refusal, if it was one */
  #note(error: unknown): Refusal | undefined {
    if (this.#closing.signal.aborted || this.#isConnected()) return undefined;
    const told = error instanceof StorkError ? error : undefined;
    const { code, message } = told ?? { code: 'PeerUnreachable', message: 'Connecting failed unexpectedly' };
    const refused = told !== undefined && (!told.retryable || passingRefusals.has(code));
    const former = this.link.code;
    this.#refusal = refused ? { code, message } : undefined;
    this.#failure = refused ? undefined : { code, message };
    if (this.link.code !== former) {
      this.#log.warn('peer could not be connected', {
        code,
        reason: message,
        error: told === undefined ? error : undefined,
      });
      this.#options.onChange();
    }
    return this.#refusal;
  }

  /** The peer dialled and was turned away for a reason that its admin and ours should see. */
  turnedAway(refusal: Refusal): void {
    const former = this.link.code;
    this.#failure = refusal;
    if (this.link.code !== former) this.#options.onChange();
  }

  #isConnected(): boolean {
    return this.#bundle !== undefined && isComplete(this.#bundle);
  }

  #notConnected(): StorkError {
    const about = `ClusterPair ${this.pair}`;
    return new StorkError({
      code: 'PeerNotConnected',
      message: `${about} is not connected: ${this.link.message}`,
      about,
      hint: 'See the conditions of the ClusterPair on both clusters.',
      retryable: true,
    });
  }
}

/** Both lanes on which we can ask the peer are up. */
const isComplete = (bundle: Bundle) => bundle.clients.control !== undefined && bundle.clients.bulk !== undefined;

/** A late line comes within one attempt's time. */
const maxRetired = 16;

/** An attempt is a connection and four short exchanges, each with a deadline of its own. */
const attemptMs = 15_000;

interface LinkHealth extends SelfDescription {
  readonly capacity: string | undefined;
  readonly clockSkewMs: number;
  readonly roundTripMs: number;
}

/** Milliseconds a value must have moved to be worth telling: an idle pair must not cost writes. */
const notableMs = { clockSkew: 500, roundTrip: 20 } as const;

function isNotable(told: LinkHealth, now: LinkHealth): boolean {
  if (told.cluster !== now.cluster || told.version !== now.version || told.capacity !== now.capacity) return true;
  if (Math.abs(told.clockSkewMs - now.clockSkewMs) >= notableMs.clockSkew) return true;
  return Math.abs(told.roundTripMs - now.roundTripMs) >= notableMs.roundTrip;
}
