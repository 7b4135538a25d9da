/** One request of restic's REST protocol (store/rest-protocol.ts) on a served repository: who asks, what for, and the answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { LogFields } from '../../../kube/log.ts';
import type { StoredObject } from '../store/object-store.ts';
import {
  extensionHeader,
  extensionVersion,
  listPath,
  nameOf,
  parseContentDigest,
  parseRestPath,
  type RestType,
  restPathOf,
  restVersion1,
  restVersion2,
} from '../store/rest-protocol.ts';
import { decideRange } from './byte-range.ts';
import type { ListTokens } from './list-token.ts';
import type { PasswordFile } from './password-file.ts';
import type { BodyReader } from './read-body.ts';
import { refusalOf } from './refusal.ts';
import type { ServedStore } from './served-store.ts';

export interface Answering {
  readonly store: ServedStore;
  /** Undefined: whoever reaches us may do what the rules allow. */
  readonly users: PasswordFile | undefined;
  readonly bodies: BodyReader;
  readonly tokens: ListTokens;
  /** Whether what is below `stork/` is kept; else we say nothing of it. */
  readonly privateNames: 'Kept' | 'None';
  /** Told of what was refused or removed; never of headers or queries. */
  readonly report: (fields: LogFields) => void;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

/** Objects of one page of a list. */
const pageObjects = 1000;
const pathAtMost = 600;
const shownAtMost = 160;

/** Ends the response, whatever happens. Never throws. */
export async function answerRequest(on: Answering, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const told = {
    method: request.method,
    path: pathOf(request).path.slice(0, shownAtMost),
    from: request.socket.remoteAddress,
  };
  let user: string | undefined;
  try {
    if (on.privateNames === 'Kept') response.setHeader(extensionHeader, extensionVersion);
    user = await on.users?.check(request.headers.authorization);
    if (on.users !== undefined && user === undefined) {
      response.setHeader('www-authenticate', 'Basic realm="stork"');
      // Who may not upload sends no body to be thrown away.
      response.setHeader('connection', 'close');
      end(response, 401, 'a user and a password are needed');
    } else await answerPlace(on, { request, response, signal: gone.signal });
    if (response.statusCode >= 400 && ![404, 416].includes(response.statusCode))
      on.report({ ...told, user, status: response.statusCode });
    else if (request.method === 'DELETE') on.report({ ...told, user, status: response.statusCode });
  } catch (error) {
    const { status, message, error: unexpected, retryAfterS } = refusalOf(error);
    on.report({
      ...told,
      user,
      status,
      ...(gone.signal.aborted ? { cutOff: true } : {}),
      reason: message,
      error: unexpected,
    });
    if (response.headersSent) return void response.destroy();
    if (retryAfterS !== undefined) response.setHeader('retry-after', String(retryAfterS));
    if (status === 413) response.setHeader('connection', 'close');
    end(response, status, message);
  }
}

/** As it came: nothing is decoded, as no name needs to be. */
function pathOf({ url = '' }: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  const [path = '', query = ''] = url.split('?', 2);
  return { path, query: new URLSearchParams(query) };
}

function end(response: ServerResponse, status: number, text: string): void {
  const body = Buffer.from(text === '' ? '' : `${text}\n`);
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': body.length });
  response.end(body);
}

async function answerPlace(on: Answering, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const { path, query } = pathOf(request);
  const place = path.startsWith('/') && path.length <= pathAtMost ? parseRestPath(path.slice(1)) : undefined;
  if (place === undefined) return end(response, 404, 'nothing has such a name here');
  switch (place.kind) {
    case 'Object':
      return await answerObject(on, exchange, place.name);
    case 'Type':
      return request.method === 'GET' ? await answerTypeList(on, exchange, place.type) : notAllowed(response, 'GET');
    case 'List':
      return request.method === 'GET' ? await answerList(on, exchange, query) : notAllowed(response, 'GET');
    case 'Repository':
      return answerRepository(exchange, query);
    default:
      return place satisfies never;
  }
}

function notAllowed(response: ServerResponse, methods: string): void {
  response.setHeader('allow', methods);
  end(response, 405, `only ${methods}`);
}

/** Folders are made when something is put there; a whole repository is never deleted by a request. */
function answerRepository({ request, response }: Exchange, query: URLSearchParams): void {
  if (request.method === 'DELETE') end(response, 501, 'a repository is not deleted by a request');
  else if (request.method === 'POST') end(response, query.get('create') === 'true' ? 200 : 400, '');
  else notAllowed(response, 'POST');
}

async function answerObject(on: Answering, exchange: Exchange, name: string): Promise<void> {
  const { request, response, signal } = exchange;
  switch (request.method) {
    case 'HEAD':
    case 'GET':
      return await answerRead(on, exchange, name);
    case 'POST': {
      const announced = Number(request.headers['content-length'] ?? 0);
      // Before its body is asked for.
      if ((await on.store.sizeOf(name, signal)) === undefined) on.store.refuseBeyond(announced, name);
      const bytes = await on.bodies.read(request, response);
      await on.store.put(name, bytes, parseContentDigest(request.headers['content-digest']), signal);
      return end(response, 200, '');
    }
    case 'DELETE':
      return end(response, (await on.store.remove(name, signal)) ? 200 : 404, '');
    default:
      return notAllowed(response, 'HEAD, GET, POST, DELETE');
  }
}

async function answerRead({ store }: Answering, { request, response, signal }: Exchange, name: string): Promise<void> {
  const size = await store.sizeOf(name, signal);
  if (size === undefined) return end(response, 404, 'there is no such object');
  const range = request.method === 'GET' ? decideRange(request.headers.range, size) : 'All';
  if (range === 'None') {
    response.setHeader('content-range', `bytes */${size}`);
    return end(response, 416, 'it is shorter');
  }
  const { offset, length } = range === 'All' ? { offset: 0, length: size } : range;
  response.writeHead(range === 'All' ? 200 : 206, {
    ...{ 'content-type': 'application/octet-stream', 'content-length': length, 'accept-ranges': 'bytes' },
    ...(range === 'All' ? {} : { 'content-range': `bytes ${offset}-${offset + length - 1}/${size}` }),
  });
  if (request.method === 'HEAD' || length === 0) return void response.end();
  await pipeline(Readable.from(store.read(name, { offset, length }, signal)), response);
}

/** All of one kind, in one answer, as either version of the protocol has it. */
async function answerTypeList(
  { store }: Answering,
  { request, response, signal }: Exchange,
  type: RestType,
): Promise<void> {
  const isSecond = request.headers.accept === restVersion2;
  response.setHeader('content-type', isSecond ? restVersion2 : restVersion1);
  async function* json() {
    let before = '[';
    for await (const { name, sizeBytes } of store.list(`${type}/`, signal)) {
      const id = name.slice(name.lastIndexOf('/') + 1);
      if (nameOf(type, id) !== name || restPathOf(name) === undefined) continue;
      yield `${before}${JSON.stringify(isSecond ? { name: id, size: sizeBytes } : id)}`;
      before = ',';
    }
    yield before === '[' ? '[]' : ']';
  }
  await pipeline(Readable.from(json()), response);
}

/** A page below any prefix: as many of the store's own as make a good answer. */
async function answerList(on: Answering, { response, signal }: Exchange, query: URLSearchParams): Promise<void> {
  if (on.privateNames === 'None') return end(response, 404, '');
  const prefix = query.get('prefix') ?? '';
  const token = query.get('from');
  let from = token === null ? undefined : on.tokens.read(prefix, token);
  if (token !== null && from === undefined) return end(response, 400, `${listPath}: not a token of this server`);
  const objects: StoredObject[] = [];
  do {
    const page = await on.store.page(prefix, from, signal);
    objects.push(...page.objects.filter(({ name }) => restPathOf(name) !== undefined));
    from = page.next;
  } while (from !== undefined && objects.length < pageObjects);
  const body = JSON.stringify({
    objects: objects.map(({ name, sizeBytes, modifiedAt }) => [name, sizeBytes, Math.max(0, modifiedAt.getTime())]),
    next: from === undefined ? undefined : on.tokens.write(prefix, from),
  });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
