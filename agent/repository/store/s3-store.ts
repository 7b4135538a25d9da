/**
 * Objects in an S3 bucket. Every upload carries the SHA-256 of its bytes twice, as the signed payload hash and as the object's
 * checksum: the server refuses what was damaged on the way, and keeps the checksum. For objects named by their digest it is the name,
 * so nothing is hashed again. `If-None-Match: *` makes puts exclusive; a server that doesn't know it gets a look first.
 * The SDK is loaded by `import()` of this file only. It retries nothing by itself: retry-store.ts does.
 */
import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  type GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { isWorthLocking } from './locked-names.ts';
import { collect, completeStore, type ObjectStore, type StoreCore } from './object-store.ts';
import { s3Patience } from './s3-client.ts';
import { explainLockError, isPrecondition, s3ErrorOf } from './s3-error.ts';
import { listPage, manyRemover, removeUnfinishedUploads } from './s3-many.ts';
import { multipartUpload, until } from './s3-multipart.ts';
import { s3Place } from './s3-place.ts';
import { s3Ranges } from './s3-ranges.ts';
import { readObject } from './s3-read.ts';
import { s3Versions } from './s3-versions.ts';
import { storeMissing } from './store-error.ts';

/** What every object of a bucket is stored with. */
export interface S3ObjectSettings {
  readonly serverSideEncryption?: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined;
  readonly kmsKeyId?: string | undefined;
  readonly storageClass?: string | undefined;
  /** What restoring needs can't be removed for so long (locked-names.ts). Needs a bucket with object lock. */
  readonly objectLock?: { readonly mode: 'GOVERNANCE' | 'COMPLIANCE'; readonly days: number } | undefined;
}

export interface S3StoreOptions extends S3ObjectSettings {
  readonly client: S3Client;
  /** As the client has it. */
  readonly ca: string | undefined;
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
const dayMs = 86_400_000;

export function s3Store(options: S3StoreOptions): ObjectStore {
  const { client, bucket: Bucket, prefix, description, multipartFromBytes = 64 * mebibyte } = options;
  const place = s3Place(client, Bucket, prefix);
  const { run, explain } = place;
  const at = (name: string) => ({ Bucket, Key: place.keyOf(name) });
  /** What the server was seen to do. */
  const known = { exclusive: true, bucket: false };

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

  const read: ObjectStore['read'] = (name, range, signal) => readObject(place, { name, range, signal });
  const ranges = s3Ranges({ client, ca: options.ca, now: options.now, ...s3Patience });
  const get: ObjectStore['get'] = async (name, range, signal) => {
    if (range === undefined) return await collect(read(name, range, signal));
    const bytes = await run(name, signal, () => ranges.get(name, range, signal));
    const onCommand = (command: GetObjectCommand) => ranges.learnFrom(command, name);
    return bytes ?? (await collect(readObject(place, { name, range, signal, onCommand }), range.length));
  };

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

  const create: StoreCore['create'] = async (name, bytes, signal) => {
    if (!known.exclusive && (await sizeOf(name, signal)) !== undefined) return 'Taken';
    try {
      await upload(name, bytes, signal);
      return 'Made';
    } catch (error) {
      if (isPrecondition(error)) return 'Taken';
      if (known.exclusive && s3ErrorOf(error).status === 501) {
        known.exclusive = false;
        return create(name, bytes, signal);
      }
      const isLocking = options.objectLock !== undefined && isWorthLocking(name);
      throw isLocking ? explainLockError(error, { about: name, bucket: Bucket, signal }) : explain(error, name, signal);
    }
  };

  const remove = async (name: string, signal: AbortSignal | undefined) => {
    await run(name, signal, () => client.send(new DeleteObjectCommand(at(name)), until(signal)));
  };

  return completeStore({
    description,
    create,
    get,
    read,
    sizeOf,
    remove,
    page: (below, from, signal) => listPage(place, below, { from, signal, pageObjects: options.pageObjects }),
    removeMany: manyRemover(place, remove),
    removeLeftovers: (before, signal) => removeUnfinishedUploads(place, before, signal),
    versions: s3Versions(place, options.pageObjects),
  });
}

function settingsOf({ objectLock, now, ...settings }: S3StoreOptions, name: string) {
  const isLocked = objectLock !== undefined && isWorthLocking(name);
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
