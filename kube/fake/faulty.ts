/**
 * A client whose calls fail when a test says so: before the server saw them, or after (the write happened, the answer was
 * lost). Everything else passes through. `as()` keeps the script.
 */
import type { KubeClient } from '../client/client.ts';
import { listAll } from '../client/list-all.ts';
import { StorkError } from '../errors.ts';

export type Verb = Exclude<keyof KubeClient, 'server' | 'as' | 'close' | 'list'>;

export const writeVerbs: ReadonlySet<Verb> = new Set(['create', 'replace', 'apply', 'patch', 'delete']);

export interface FaultyClient extends KubeClient {
  /** The next call of this verb rejects with `error`, the server doesn't see it. Several queue up. */
  next(verb: Verb, error: unknown): void;
  /** The next call of this verb is carried out, but its answer is lost: it rejects as ApiServerUnreachable. */
  loseNextReply(verb: Verb): void;
  /**
   * The process "dies" around its n-th write from now (1 = the next one): `Before` it or `After` it took effect, that
   * call and every later one reject as ApiServerUnreachable.
   */
  dieAtWrite(number: number, moment: 'Before' | 'After'): void;
  /** Writes that reached the server through this client. */
  readonly writeCount: number;
}

interface Script {
  readonly around: Around;
  readonly faults: Map<Verb, Fault[]>;
  writeCount: number;
  death: { readonly at: number; readonly moment: 'Before' | 'After' } | 'Happened' | undefined;
}

type Fault = { readonly when: 'Before'; readonly error: unknown } | { readonly when: 'After' };

/** Carries out one call of a client; may wait before and after it, or throw instead. */
export type Around = <Result>(verb: Verb, call: () => Promise<Result>) => Promise<Result>;

export function faulty(client: KubeClient, around: Around = (_, call) => call()): FaultyClient {
  return withScript(client, { faults: new Map(), writeCount: 0, death: undefined, around });
}

function withScript(client: KubeClient, script: Script): FaultyClient {
  const queue = (verb: Verb, fault: Fault): void => {
    script.faults.set(verb, [...(script.faults.get(verb) ?? []), fault]);
  };
  const wrapped =
    <Args extends readonly unknown[], Result>(verb: Verb, call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      const fault = beforeCall(script, verb);
      const result = await script.around(verb, () => call(...args));
      if (writeVerbs.has(verb)) afterWrite(script);
      if (fault === 'LoseReply') throw lost();
      return result;
    };
  return {
    server: client.server,
    get: wrapped('get', client.get),
    find: wrapped('find', client.find),
    listPage: wrapped('listPage', client.listPage),
    list: (resource, options) => listAll(wrapped('listPage', client.listPage), resource, options ?? {}),
    watch: (resource, options) => ({
      async *[Symbol.asyncIterator]() {
        beforeCall(script, 'watch');
        yield* client.watch(resource, options);
      },
    }),
    create: wrapped('create', client.create),
    replace: wrapped('replace', client.replace),
    apply: wrapped('apply', client.apply),
    patch: wrapped('patch', client.patch),
    delete: wrapped('delete', client.delete),
    exec: wrapped('exec', client.exec),
    logs: wrapped('logs', client.logs),
    discover: wrapped('discover', client.discover),
    version: wrapped('version', client.version),
    request: wrapped('request', client.request),
    close: client.close,
    next: (verb, error) => queue(verb, { when: 'Before', error }),
    loseNextReply: (verb) => queue(verb, { when: 'After' }),
    dieAtWrite(number, moment) {
      script.death = { at: script.writeCount + number, moment };
    },
    get writeCount() {
      return script.writeCount;
    },
    as: (identity) => withScript(client.as(identity), script),
  };
}

/** Throws what the script says comes before the call; else how its answer shall fare. */
function beforeCall(script: Script, verb: Verb): 'Answer' | 'LoseReply' {
  if (script.death === 'Happened') throw lost();
  const death = script.death;
  if (death?.moment === 'Before' && writeVerbs.has(verb) && script.writeCount + 1 >= death.at) {
    script.death = 'Happened';
    throw lost();
  }
  const [fault, ...later] = script.faults.get(verb) ?? [];
  script.faults.set(verb, later);
  if (fault?.when === 'Before') throw fault.error;
  return fault === undefined ? 'Answer' : 'LoseReply';
}

function afterWrite(script: Script): void {
  script.writeCount += 1;
  if (typeof script.death !== 'object' || script.writeCount < script.death.at) return;
  script.death = 'Happened';
  throw lost();
}

const lost = () =>
  new StorkError({
    code: 'ApiServerUnreachable',
    message: 'The connection to the API server was lost before its answer came.',
    retryable: true,
  });
