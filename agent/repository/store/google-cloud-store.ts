/**
 * Objects in a bucket of Google Cloud Storage. Every upload carries the MD5 of its bytes, which the server holds against what arrived;
 * `ifGenerationMatch=0` makes puts exclusive. An upload is one request: what never ended leaves nothing. The library is loaded by
 * `import()` of this file only, and is told to retry nothing: retry-store.ts does.
 */
import { createHash } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { Storage } from '@google-cloud/storage';
import { explainGoogleCloudError, statusOf } from './google-cloud-error.ts';
import { type ByteRange, completeStore, type ObjectStore } from './object-store.ts';
import { failCutOff, failMissing, failTooShort, storeMissing, unavailable } from './store-error.ts';

export interface GoogleCloudStoreOptions {
  /** Undefined: Google's own. */
  readonly endpoint: string | undefined;
  /** `None` for servers of tests; else what GOOGLE_APPLICATION_CREDENTIALS names, or the role of the pod or machine. */
  readonly credentials: 'Default' | 'None';
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly description: string;
  readonly pageObjects?: number;
}

export function googleCloudStore(options: GoogleCloudStoreOptions): ObjectStore {
  const { prefix, description, pageObjects = 1000 } = options;
  const bucket = storageOf(options).bucket(options.bucket);
  const keyOf = (name: string) => (prefix === '' ? name : `${prefix}/${name}`);
  const file = (name: string) => bucket.file(keyOf(name));
  const explain = (error: unknown, about: string, signal: AbortSignal | undefined) =>
    explainGoogleCloudError(error, { about, signal });
  const run = async <Result>(about: string, signal: AbortSignal | undefined, request: () => Promise<Result>) => {
    try {
      return await abortable(request(), signal);
    } catch (error) {
      throw explain(error, about, signal);
    }
  };

  /** To everything but listing, a missing bucket looks like a missing object. */
  const checkBucket = async (signal: AbortSignal | undefined) => {
    try {
      await abortable(bucket.getFiles({ autoPaginate: false, maxResults: 1 }), signal);
    } catch (error) {
      if (statusOf(error) === 404) throw storeMissing(`bucket ${options.bucket}`, error);
      throw explain(error, `bucket ${options.bucket}`, signal);
    }
  };

  const sizeOf: ObjectStore['sizeOf'] = async (name, signal) => {
    try {
      const [metadata] = await abortable(file(name).getMetadata(), signal);
      return Number(metadata.size);
    } catch (error) {
      if (statusOf(error) !== 404) throw explain(error, name, signal);
      await checkBucket(signal);
      return undefined;
    }
  };

  async function* read(name: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
    const span = range === undefined ? {} : { start: range.offset, end: range.offset + range.length - 1 };
    const body = file(name).createReadStream({ ...span, validation: false, decompress: false });
    const stop = () => body.destroy(new Error('stopped'));
    signal?.addEventListener('abort', stop, { once: true });
    let received = 0;
    try {
      for await (const piece of body.iterator({ destroyOnReturn: false })) {
        if (!(piece instanceof Uint8Array)) throw unavailable('a body that is no bytes', name);
        received += piece.length;
        yield piece;
      }
    } catch (error) {
      if (statusOf(error) === 416) failTooShort(name);
      if (statusOf(error) === 404) {
        await checkBucket(signal);
        failMissing(name);
      }
      throw explain(error, name, signal);
    } finally {
      signal?.removeEventListener('abort', stop);
      // The library gives the socket of an answer that isn't read to its end to the next request, which then fails: so read it.
      if (!body.readableEnded && !body.destroyed) body.on('error', () => {}).resume();
    }
    // The library doesn't say how much was to come.
    if (range !== undefined && received === range.length) return;
    const sizeBytes = (await sizeOf(name, signal)) ?? failMissing(name);
    if (range !== undefined && range.offset + range.length > sizeBytes) failTooShort(name);
    if (received !== (range?.length ?? sizeBytes)) failCutOff(name);
  }
  const get: ObjectStore['get'] = async (name, range, signal) =>
    Buffer.concat(await Array.fromAsync(read(name, range, signal)));

  const upload = async (name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> => {
    const stream = file(name).createWriteStream({
      ...{ resumable: false, validation: false, preconditionOpts: { ifGenerationMatch: 0 } },
      metadata: { md5Hash: createHash('md5').update(bytes).digest('base64'), contentType: 'application/octet-stream' },
    });
    stream.end(bytes);
    try {
      await finished(stream, signal === undefined ? {} : { signal });
    } finally {
      stream.destroy();
    }
  };

  return completeStore({
    description,
    sizeOf,
    get,
    read,
    async create(name, bytes, signal) {
      try {
        await upload(name, bytes, signal);
        return 'Made';
      } catch (error) {
        if (statusOf(error) === 412) return 'Taken';
        if (statusOf(error) === 404) await checkBucket(signal);
        throw explain(error, name, signal);
      }
    },
    async page(below, from, signal) {
      const asked = { prefix: keyOf(below), autoPaginate: false, maxResults: pageObjects };
      const [files, next] = await run(below, signal, async () => {
        try {
          return await bucket.getFiles({ ...asked, ...(from === undefined ? {} : { pageToken: from }) });
        } catch (error) {
          if (statusOf(error) === 404) throw storeMissing(`bucket ${options.bucket}`, error);
          throw error;
        }
      });
      const objects = files.map(({ name, metadata }) => ({
        name: prefix === '' ? name : name.slice(prefix.length + 1),
        sizeBytes: Number(metadata.size),
        modifiedAt: new Date(metadata.updated ?? metadata.timeCreated ?? 0),
      }));
      return { objects, next: next?.pageToken };
    },
    async remove(name, signal) {
      try {
        await abortable(file(name).delete(), signal);
      } catch (error) {
        if (statusOf(error) !== 404) throw explain(error, name, signal);
        await checkBucket(signal);
      }
    },
    removeLeftovers: async () => 0,
  });
}

function storageOf({ endpoint, credentials }: GoogleCloudStoreOptions): Storage {
  return new Storage({
    ...(endpoint === undefined ? {} : { apiEndpoint: endpoint }),
    ...(credentials === 'None' ? { projectId: 'none' } : {}),
    retryOptions: { autoRetry: false, maxRetries: 0 },
  });
}

/** The library takes no signals for these: who stops no longer waits, and the request ends by itself. */
async function abortable<Result>(request: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return request;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([request, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
