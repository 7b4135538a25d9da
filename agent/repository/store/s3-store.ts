/**
 * Objects in an S3 bucket. Every upload carries the SHA-256 of its bytes twice, as the signed payload hash and as the object's
 * checksum: the server refuses what was damaged on the way, and keeps the checksum. For objects named by their digest it is the name,
 * so nothing is hashed again. `If-None-Match: *` makes puts exclusive; a server that doesn't know it gets a look first.
 * The SDK is loaded by `import()` of this file only. It retries nothing by itself: retry-store.ts does.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { type ByteRange, completeStore, type ObjectStore } from './object-store.ts';
import { explainS3Error, isPrecondition, s3ErrorOf } from './s3-error.ts';
import { multipartUpload, until } from './s3-multipart.ts';
import { acceptEqual, failCutOff, failMissing, failTooShort, storeMissing, unavailable } from './store-error.ts';

/** What every object of a bucket is stored with. */
export interface S3ObjectSettings {
  readonly serverSideEncryption?: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined;
  readonly kmsKeyId?: string | undefined;
  readonly storageClass?: string | undefined;
  /** Objects can't be removed for so long; those below `locks/` can. Needs a bucket with object lock. */
  readonly objectLock?: { readonly mode: 'GOVERNANCE' | 'COMPLIANCE'; readonly days: number } | undefined;
}

export interface S3StoreOptions extends S3ObjectSettings {
  readonly client: S3Client;
  readonly bucket: string;
  /** Without a slash at its ends; may be empty. */
  readonly prefix: string;
  readonly description: string;
  readonly now: () => Date;
  /** Larger objects are uploaded in parts. */
  readonly multipartFromBytes?: number;
  /** At least 5 MiB, by S3's rules. */
  readonly partBytes?: number;
  readonly pageObjects?: number;
}

const mebibyte = 1024 * 1024;
/** By S3's rules. */
const removalsARequest = 1000;
const singleRemovalsAtOnce = 8;
const dayMs = 86_400_000;

export function s3Store(options: S3StoreOptions): ObjectStore {
  const { client, bucket: Bucket, prefix, description, multipartFromBytes = 64 * mebibyte } = options;
  const keyOf = (name: string) => (prefix === '' ? name : `${prefix}/${name}`);
  const nameOf = (key: string) => (prefix === '' ? key : key.slice(prefix.length + 1));
  const at = (name: string) => ({ Bucket, Key: keyOf(name) });
  const explain = (error: unknown, about: string, signal: AbortSignal | undefined) =>
    explainS3Error(error, { about, bucket: Bucket, signal });
  const run = async <Result>(about: string, signal: AbortSignal | undefined, request: () => Promise<Result>) => {
    try {
      return await request();
    } catch (error) {
      throw explain(error, about, signal);
    }
  };
  const known: { exclusive: boolean; bucket: boolean; removesMany: boolean } = {
    ...{ exclusive: true, bucket: false, removesMany: true },
  };

  const checkBucket = async (signal: AbortSignal | undefined) => {
    if (known.bucket) return;
    try {
      await client.send(new HeadBucketCommand({ Bucket }), until(signal));
      known.bucket = true;
    } catch (error) {
      if (s3ErrorOf(error).status === 404) throw storeMissing(`bucket ${Bucket}`, error);
      throw explain(error, `bucket ${Bucket}`, signal);
    }
  };

  const sizeOf: ObjectStore['sizeOf'] = async (name, signal) => {
    try {
      return (await client.send(new HeadObjectCommand(at(name)), until(signal))).ContentLength;
    } catch (error) {
      if (s3ErrorOf(error).status !== 404) throw explain(error, name, signal);
      // To HEAD, a missing bucket looks like a missing object.
      await checkBucket(signal);
      return undefined;
    }
  };

  async function* read(name: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
    const Range = range === undefined ? undefined : `bytes=${range.offset}-${range.offset + range.length - 1}`;
    try {
      const answer = await client.send(new GetObjectCommand({ ...at(name), Range }), until(signal));
      const wantedBytes = range?.length ?? answer.ContentLength;
      const body = answer.Body;
      if (!(body instanceof Readable)) throw unavailable('an answer without a body', name);
      if (range !== undefined && answer.ContentLength !== undefined && answer.ContentLength < range.length) {
        body.destroy();
        failTooShort(name);
      }
      let received = 0;
      for await (const piece of body) {
        if (!(piece instanceof Uint8Array)) throw unavailable('a body that is no bytes', name);
        received += piece.length;
        yield piece;
      }
      if (wantedBytes !== undefined && received !== wantedBytes) failCutOff(name);
    } catch (error) {
      const { name: code, status } = s3ErrorOf(error);
      if (status === 416) failTooShort(name);
      if (status === 404 && code !== 'NoSuchBucket') failMissing(name);
      throw explain(error, name, signal);
    }
  }
  const get: ObjectStore['get'] = async (name, range, signal) =>
    Buffer.concat(await Array.fromAsync(read(name, range, signal)));

  const upload = async (name: string, bytes: Uint8Array, signal: AbortSignal | undefined) => {
    const target = { ...at(name), ...settingsOf(options, name) };
    const IfNoneMatch = known.exclusive ? '*' : undefined;
    if (bytes.length > multipartFromBytes) {
      const parts = { client, bytes, partBytes: options.partBytes ?? 16 * mebibyte, signal };
      return multipartUpload({ ...target, IfNoneMatch }, parts);
    }
    const command = new PutObjectCommand({
      ...{ ...target, IfNoneMatch, Body: bytes, ContentLength: bytes.length },
      ChecksumSHA256: digestOf(name, bytes).toString('base64'),
    });
    await client.send(command, until(signal));
  };

  const put = async (name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> => {
    if (!known.exclusive && (await sizeOf(name, signal)) !== undefined)
      return acceptEqual({ get, sizeOf }, name, bytes, signal);
    try {
      await upload(name, bytes, signal);
    } catch (error) {
      if (isPrecondition(error)) return acceptEqual({ get, sizeOf }, name, bytes, signal);
      if (known.exclusive && s3ErrorOf(error).status === 501) {
        known.exclusive = false;
        return put(name, bytes, signal);
      }
      throw explain(error, name, signal);
    }
  };

  const remove = async (name: string, signal: AbortSignal | undefined) => {
    await run(name, signal, () => client.send(new DeleteObjectCommand(at(name)), until(signal)));
  };

  return completeStore({
    description,
    put,
    get,
    read,
    sizeOf,
    remove,
    async page(below, from, signal) {
      const request = new ListObjectsV2Command({
        ...{ Bucket, Prefix: keyOf(below), ContinuationToken: from },
        ...(options.pageObjects === undefined ? {} : { MaxKeys: options.pageObjects }),
      });
      const answer = await run(below, signal, () => client.send(request, until(signal)));
      const objects = (answer.Contents ?? []).flatMap(({ Key, Size, LastModified }) =>
        // Keys that end with a slash are what some tools make for directories.
        Key === undefined || Size === undefined || LastModified === undefined || Key.endsWith('/')
          ? []
          : [{ name: nameOf(Key), sizeBytes: Size, modifiedAt: LastModified }],
      );
      return { objects, next: answer.IsTruncated === true ? answer.NextContinuationToken : undefined };
    },
    async removeMany(names, signal) {
      for (let begin = 0; begin < names.length; begin += removalsARequest) {
        const some = names.slice(begin, begin + removalsARequest);
        if (known.removesMany) known.removesMany = await removeTogether(some, signal);
        if (!known.removesMany) await mapLimit(some, singleRemovalsAtOnce, (name, stop) => remove(name, stop), signal);
      }
    },
    async removeLeftovers(before, signal) {
      let removed = 0;
      for (let KeyMarker: string | undefined, UploadIdMarker: string | undefined; ; ) {
        const list = new ListMultipartUploadsCommand({ Bucket, Prefix: keyOf(''), KeyMarker, UploadIdMarker });
        const answer = await run('unfinished uploads', signal, () => client.send(list, until(signal)));
        for (const { Key, UploadId, Initiated } of answer.Uploads ?? []) {
          if (Key === undefined || UploadId === undefined || Initiated === undefined || Initiated >= before) continue;
          const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId });
          await run(nameOf(Key), signal, () => client.send(abort, until(signal)));
          removed++;
        }
        if (answer.IsTruncated !== true) return removed;
        ({ NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = answer);
      }
    },
  });

  /** False when the server has no such request (or wants an MD5 with it, which the SDK doesn't send). */
  async function removeTogether(names: readonly string[], signal: AbortSignal | undefined): Promise<boolean> {
    const Objects = names.map((name) => ({ Key: keyOf(name) }));
    const request = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
    try {
      const { Errors: failures = [] } = await client.send(request, until(signal));
      const [failure] = failures.filter(({ Code }) => Code !== 'NoSuchKey');
      if (failure === undefined) return true;
      throw Object.assign(new Error(failure.Message ?? 'a removal failed'), { name: failure.Code ?? 'Unknown' });
    } catch (error) {
      const { name, status } = s3ErrorOf(error);
      if (status === 501 || status === 405 || name === 'MissingContentMD5' || name === 'InvalidRequest') return false;
      throw explain(error, names[0] ?? '', signal);
    }
  }
}

function settingsOf({ objectLock, now, ...settings }: S3StoreOptions, name: string) {
  const isLocked = objectLock !== undefined && !name.startsWith('locks/');
  return {
    ServerSideEncryption: settings.serverSideEncryption,
    SSEKMSKeyId: settings.kmsKeyId,
    // The SDK's type lists the classes of one vendor; others have their own.
    StorageClass: assertStorageClass(settings.storageClass),
    ...(isLocked
      ? {
          ObjectLockMode: objectLock.mode,
          ObjectLockRetainUntilDate: new Date(now().getTime() + objectLock.days * dayMs),
        }
      : {}),
  };
}

function assertStorageClass(name: string | undefined): 'STANDARD' | undefined {
  return name as 'STANDARD' | undefined;
}

/** What the name says when it is a digest, which the server then holds against the bytes; else computed. */
function digestOf(name: string, bytes: Uint8Array): Buffer {
  const id = /(?:^|\/)([0-9a-f]{64})$/.exec(name)?.[1];
  return id === undefined ? createHash('sha256').update(bytes).digest() : Buffer.from(id, 'hex');
}
