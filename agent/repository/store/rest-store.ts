/**
 * Objects on another machine that serves them by restic's REST protocol (rest-protocol.ts): `stork-agent repo serve`, rest-server, and others.
 * The server holds an upload against the SHA-256 that its name is and never overwrites. One that does not keep what is below `stork/`
 * says so by `privateNames`: nothing is there then, and putting it is refused.
 */
import type { IncomingMessage } from 'node:http';
import { idOf } from '../format/object-id.ts';
import { type ByteRange, completeStore, type ObjectStore, type StoredPage } from './object-store.ts';
import { type RestConnectionOptions, type RestRequest, restConnection } from './rest-connection.ts';
import { explainRestFailure, explainRestStatus, readRefusal } from './rest-error.ts';
import {
  contentDigest,
  extensionHeader,
  extensionVersion,
  isPrivate,
  listPath,
  parseStoredPage,
  parseTypeList,
  restPathOf,
  restTypes,
  restVersion2,
} from './rest-protocol.ts';
import { failMissing, failTooShort, storeRefused, unavailable } from './store-error.ts';
import { wholeBody } from './whole-body.ts';

export interface RestStoreOptions extends RestConnectionOptions {
  readonly description: string;
}

/** Of a whole list, which version 2 answers in one piece: two million packs. */
const listAtMostBytes = 256 * 1024 * 1024;

export function restStore(options: RestStoreOptions): ObjectStore {
  const { description } = options;
  const ask = asking(options);
  let kept: 'Kept' | 'None' | undefined;
  const privateNames = async (signal?: AbortSignal): Promise<'Kept' | 'None'> => {
    if (kept !== undefined) return kept;
    const answer = await ask({ method: 'HEAD', path: 'config', signal }, 'config', [200, 404]);
    answer.resume();
    kept = answer.headers[extensionHeader] === extensionVersion ? 'Kept' : 'None';
    return kept;
  };
  /** Undefined for what can't be there. */
  const pathOf = async (name: string, signal: AbortSignal | undefined): Promise<string | undefined> =>
    isPrivate(name) && (await privateNames(signal)) === 'None' ? undefined : restPathOf(name);

  const sizeOf: ObjectStore['sizeOf'] = async (name, signal) => {
    const path = await pathOf(name, signal);
    if (path === undefined) return undefined;
    const answer = await ask({ method: 'HEAD', path, signal }, name, [200, 404]);
    answer.resume();
    return answer.statusCode === 404 ? undefined : lengthOf(answer, name);
  };

  async function* read(name: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
    const path = (await pathOf(name, signal)) ?? failMissing(name);
    const headers = range === undefined ? {} : { range: `bytes=${range.offset}-${range.offset + range.length - 1}` };
    const answer = await ask({ method: 'GET', path, headers, signal }, name, [200, 206, 404, 416]);
    const { statusCode } = answer;
    if (statusCode === 404 || statusCode === 416) {
      answer.resume();
      return statusCode === 404 ? failMissing(name) : failTooShort(name);
    }
    try {
      if (range !== undefined && statusCode !== 206)
        throw unavailable('it answered with more than was asked for', name);
      yield* wholeBody(answer, { name, wantedBytes: range?.length, announcedBytes: lengthOf(answer, name) });
    } catch (error) {
      throw explainRestFailure(error, { about: name, signal });
    } finally {
      answer.destroy();
    }
  }

  return completeStore({
    description,
    privateNames,
    sizeOf,
    read,
    async create(name, bytes, signal) {
      const path = await pathOf(name, signal);
      if (path === undefined) return failForeignName(name);
      if (name === 'config' || name.startsWith('keys/')) await makeRepository(signal);
      const headers = { 'content-type': 'application/octet-stream', 'content-digest': contentDigest(idOf(bytes)) };
      const answer = await ask({ method: 'POST', path, headers, body: bytes, signal }, name, [200, 201, 204, 403, 409]);
      if (answer.statusCode === 403 && (await sizeOf(name, signal)) === undefined)
        throw explainRestStatus(answer, await readRefusal(answer), name);
      answer.resume();
      return answer.statusCode === 403 || answer.statusCode === 409 ? 'Taken' : 'Made';
    },
    async page(prefix, from, signal) {
      if ((await privateNames(signal)) === 'None') return { objects: await listTypes(prefix, signal) };
      return await extendedPage(prefix, from, signal);
    },
    async remove(name, signal) {
      const path = await pathOf(name, signal);
      if (path !== undefined) (await ask({ method: 'DELETE', path, signal }, name, [200, 204, 404])).resume();
    },
    removeLeftovers: async () => 0,
  });

  /** Other servers make the folders of a new repository only when told to. */
  async function makeRepository(signal: AbortSignal | undefined): Promise<void> {
    (await ask({ method: 'POST', path: '?create=true', signal }, description, [200])).resume();
  }

  async function extendedPage(prefix: string, from: string | undefined, signal: AbortSignal | undefined) {
    const query = new URLSearchParams({ prefix, ...(from === undefined ? {} : { from }) });
    const answer = await ask({ method: 'GET', path: `${listPath}?${query}`, signal }, prefix, [200]);
    return parseStoredPage(await readList(answer, prefix, signal), prefix);
  }

  async function listTypes(prefix: string, signal: AbortSignal | undefined): Promise<StoredPage['objects']> {
    const types = restTypes.filter((type) => prefix === '' || prefix.startsWith(`${type}/`));
    const listed: StoredPage['objects'][] = [];
    for (const type of types) {
      const headers = { accept: restVersion2 };
      const answer = await ask({ method: 'GET', path: `${type}/`, headers, signal }, `${type}/`, [200, 404]);
      const body = await readList(answer, `${type}/`, signal);
      // Nothing was ever put there.
      if (answer.statusCode === 404) continue;
      if (answer.headers['content-type'] !== restVersion2) throw tooOld(`${type}/`);
      listed.push(parseTypeList(body, type).filter(({ name }) => name.startsWith(prefix)));
    }
    const configBytes = prefix === '' ? await sizeOf('config', signal) : undefined;
    const config =
      configBytes === undefined ? [] : [{ name: 'config', sizeBytes: configBytes, modifiedAt: new Date(0) }];
    return [...config, ...listed.flat()];
  }
}

/** Sends, and gives what has one of the statuses; all else is thrown as what it means. */
function asking(options: RestStoreOptions) {
  const connection = restConnection(options);
  return async (request: RestRequest, about: string, statuses: readonly number[]): Promise<IncomingMessage> => {
    request.signal?.throwIfAborted();
    let answer: IncomingMessage;
    try {
      answer = await connection(request);
    } catch (error) {
      throw explainRestFailure(error, { about, signal: request.signal });
    }
    // Whoever lets it go unread need not listen.
    answer.on('error', () => undefined);
    if (statuses.includes(answer.statusCode ?? 0)) return answer;
    throw explainRestStatus(answer, await readRefusal(answer), about);
  };
}

async function readList(answer: IncomingMessage, about: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of wholeBody(answer, { name: about, wantedBytes: undefined, announcedBytes: undefined })) {
      bytes += piece.length;
      if (bytes > listAtMostBytes) throw storeRefused('its list has no end', about, 'Forget restore points and prune.');
      pieces.push(piece);
    }
  } catch (error) {
    throw explainRestFailure(error, { about, signal });
  }
  return Buffer.concat(pieces);
}

function lengthOf({ headers }: IncomingMessage, name: string): number {
  const text = headers['content-length'] ?? '';
  if (!/^\d{1,15}$/.test(text)) throw unavailable('it does not say how long an object is', name);
  return Number(text);
}

function failForeignName(name: string): never {
  throw storeRefused(
    'it keeps only what stock restic knows',
    name,
    'Prune there with stock restic, and use key slots of restic; or serve the repository with `stork-agent repo serve`.',
  );
}

const tooOld = (about: string) =>
  storeRefused('it speaks version 1 of the protocol only', about, 'Use a REST server that speaks version 2.');
