/** Requests of S3 that concern many objects: listing, removing, clearing away uploads that never ended. */
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import type { StoredPage } from './object-store.ts';
import { s3ErrorOf } from './s3-error.ts';
import { until } from './s3-multipart.ts';
import type { S3Place } from './s3-place.ts';

/** By S3's rules. */
const removalsARequest = 1000;
const singleRemovalsAtOnce = 8;

export interface PageOptions {
  readonly from: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly pageObjects: number | undefined;
}

export async function listPage(
  { client, bucket: Bucket, keyOf, nameOf, run }: S3Place,
  below: string,
  { from, signal, pageObjects }: PageOptions,
): Promise<StoredPage> {
  const request = new ListObjectsV2Command({
    ...{ Bucket, Prefix: keyOf(below), ContinuationToken: from },
    ...(pageObjects === undefined ? {} : { MaxKeys: pageObjects }),
  });
  const answer = await run(below, signal, () => client.send(request, until(signal)));
  const objects = (answer.Contents ?? []).flatMap(({ Key, Size, LastModified }) =>
    // Keys that end with a slash are what some tools make for directories.
    Key === undefined || Size === undefined || LastModified === undefined || Key.endsWith('/')
      ? []
      : [{ name: nameOf(Key), sizeBytes: Size, modifiedAt: LastModified }],
  );
  return { objects, next: answer.IsTruncated === true ? answer.NextContinuationToken : undefined };
}

type RemoveOne = (name: string, signal: AbortSignal | undefined) => Promise<void>;

/** Removes 1,000 by a request, or one by one on a server that can't. */
export function manyRemover(place: S3Place, remove: RemoveOne) {
  const known = { removesTogether: true };
  return async (names: readonly string[], signal: AbortSignal | undefined): Promise<void> => {
    for (let begin = 0; begin < names.length; begin += removalsARequest) {
      const some = names.slice(begin, begin + removalsARequest);
      if (known.removesTogether) known.removesTogether = await removeTogether(place, some, signal);
      if (!known.removesTogether) await mapLimit(some, singleRemovalsAtOnce, remove, signal);
    }
  };
}

/** False when the server has no such request (or wants an MD5 with it, which the SDK doesn't send). */
async function removeTogether(
  { client, bucket: Bucket, keyOf, explain }: S3Place,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const Objects = names.map((name) => ({ Key: keyOf(name) }));
  const request = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
  try {
    const { Errors: failures = [] } = await client.send(request, until(signal));
    const failure = failures.find(({ Code }) => Code !== 'NoSuchKey');
    if (failure === undefined) return true;
    throw Object.assign(new Error(failure.Message ?? 'a removal failed'), { name: failure.Code ?? 'Unknown' });
  } catch (error) {
    const { name, status } = s3ErrorOf(error);
    if (status === 501 || status === 405 || name === 'MissingContentMD5' || name === 'InvalidRequest') return false;
    throw explain(error, names[0] ?? '', signal);
  }
}

/** Returns how many were begun before `before` and are gone now. */
export async function removeUnfinishedUploads(
  { client, bucket: Bucket, keyOf, nameOf, run }: S3Place,
  before: Date,
  signal: AbortSignal | undefined,
): Promise<number> {
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
}
