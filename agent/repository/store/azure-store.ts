/**
 * Objects in a container of Azure Blob Storage, as block blobs. Every upload carries the MD5 of its bytes, which the server holds against
 * what arrived; `If-None-Match: *` makes puts exclusive. What an upload in blocks leaves when it never ends, Azure removes after a
 * week by itself. The SDK is loaded by `import()` of this file only. It retries nothing by itself: retry-store.ts does.
 */
import { createHash } from 'node:crypto';
import { AnonymousCredential, ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { azureErrorOf, explainAzureError } from './azure-error.ts';
import { type ByteRange, completeStore, type ObjectStore } from './object-store.ts';
import { failMissing, failTooShort, unavailable } from './store-error.ts';
import { wholeBody } from './whole-body.ts';

export interface AzureStoreOptions {
  /** With the account, e.g. `https://ACCOUNT.blob.core.windows.net`. */
  readonly endpoint: string;
  readonly credentials:
    | { readonly account: string; readonly key: string }
    /** A shared access signature: a query. */
    | { readonly signature: string };
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string | undefined;
  readonly container: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly description: string;
  /** Larger objects are uploaded in blocks. */
  readonly blocksFromBytes?: number;
  readonly blockBytes?: number;
  readonly pageObjects?: number;
}

const mebibyte = 1024 * 1024;
/** Of one object; the caller's objects at once multiply it. */
const blocksAtOnce = 3;

export function azureStore(options: AzureStoreOptions): ObjectStore {
  const { prefix, description, blocksFromBytes = 64 * mebibyte, blockBytes = 16 * mebibyte } = options;
  const container = containerClient(options);
  const keyOf = (name: string) => (prefix === '' ? name : `${prefix}/${name}`);
  const blob = (name: string) => container.getBlockBlobClient(keyOf(name));
  const explain = (error: unknown, about: string, signal: AbortSignal | undefined) =>
    explainAzureError(error, { about, container: options.container, signal });

  const sizeOf: ObjectStore['sizeOf'] = async (name, signal) => {
    try {
      return (await blob(name).getProperties(until(signal))).contentLength;
    } catch (error) {
      const failure = azureErrorOf(error);
      if (failure.status === 404 && failure.code !== 'ContainerNotFound') return undefined;
      throw explain(error, name, signal);
    }
  };

  async function* read(name: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
    try {
      const asked = { ...until(signal), maxRetryRequests: 0 };
      const answer = await blob(name).download(range?.offset ?? 0, range?.length, asked);
      const body = answer.readableStreamBody;
      if (body === undefined) throw unavailable('an answer without a body', name);
      yield* wholeBody(body, { name, wantedBytes: range?.length, announcedBytes: answer.contentLength });
    } catch (error) {
      const { status, code } = azureErrorOf(error);
      if (status === 416) failTooShort(name);
      if (status === 404 && code !== 'ContainerNotFound') failMissing(name);
      throw explain(error, name, signal);
    }
  }
  const get: ObjectStore['get'] = async (name, range, signal) =>
    Buffer.concat(await Array.fromAsync(read(name, range, signal)));

  const upload = async (name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> => {
    const target = blob(name);
    const exclusive = { conditions: { ifNoneMatch: '*' }, ...until(signal) };
    if (bytes.length <= blocksFromBytes) {
      const transactionalContentMD5 = md5(bytes);
      await target.upload(bodyOf(bytes), bytes.length, { ...exclusive, transactionalContentMD5 });
      return;
    }
    const begins = Array.from({ length: Math.ceil(bytes.length / blockBytes) }, (_, index) => index * blockBytes);
    // Of this upload alone, so that two of one name don't mix.
    const upload = createHash('sha256').update(bytes).digest('hex').slice(0, 24);
    const ids = await mapLimit(
      begins,
      blocksAtOnce,
      async (begin, stop, index) => {
        const id = Buffer.from(`${upload}-${String(index).padStart(6, '0')}`).toString('base64');
        const block = bytes.subarray(begin, begin + blockBytes);
        const asked = { ...until(stop), transactionalContentMD5: md5(block) };
        await target.stageBlock(id, bodyOf(block), block.length, asked);
        return id;
      },
      signal,
    );
    await target.commitBlockList(ids, exclusive);
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
        const { status, code } = azureErrorOf(error);
        if (status === 412 || code === 'BlobAlreadyExists') return 'Taken';
        throw explain(error, name, signal);
      }
    },
    async page(below, from, signal) {
      const begin = {
        maxPageSize: options.pageObjects ?? 5000,
        ...(from === undefined ? {} : { continuationToken: from }),
      };
      try {
        for await (const answer of container.listBlobsFlat({ prefix: keyOf(below), ...until(signal) }).byPage(begin)) {
          const objects = answer.segment.blobItems.map(({ name, properties }) => ({
            name: prefix === '' ? name : name.slice(prefix.length + 1),
            sizeBytes: properties.contentLength ?? 0,
            modifiedAt: properties.lastModified,
          }));
          // Empty after the last.
          return { objects, next: answer.continuationToken || undefined };
        }
        return { objects: [] };
      } catch (error) {
        throw explain(error, below, signal);
      }
    },
    async remove(name, signal) {
      try {
        await blob(name).delete(until(signal));
      } catch (error) {
        const { status, code } = azureErrorOf(error);
        if (status !== 404 || code === 'ContainerNotFound') throw explain(error, name, signal);
      }
    },
    removeLeftovers: async () => 0,
  });
}

function containerClient({ endpoint, credentials, container, ca }: AzureStoreOptions): ContainerClient {
  const url = `${endpoint.replace(/\/$/, '')}/${encodeURIComponent(container)}`;
  // `tlsOptions` is core-rest-pipeline's, which the client hands its options on to.
  const options = { retryOptions: { maxTries: 1 }, ...(ca === undefined ? {} : { tlsOptions: { ca } }) };
  if ('signature' in credentials)
    return new ContainerClient(
      `${url}?${credentials.signature.replace(/^\?/, '')}`,
      new AnonymousCredential(),
      options,
    );
  return new ContainerClient(url, new StorageSharedKeyCredential(credentials.account, credentials.key), options);
}

const until = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { abortSignal: signal });
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest();
/** The SDK sends a view's whole buffer unless it is a Buffer. */
const bodyOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
