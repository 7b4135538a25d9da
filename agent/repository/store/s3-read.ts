/** Reading an S3 object, or one of its versions. */
import { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { ByteRange } from './object-store.ts';
import { s3ErrorOf } from './s3-error.ts';
import { until } from './s3-multipart.ts';
import type { S3Place } from './s3-place.ts';
import { failMissing, failTooShort, unavailable } from './store-error.ts';
import { wholeBody } from './whole-body.ts';

export interface WantedBytes {
  readonly name: string;
  /** Undefined: what the name stands for now. */
  readonly versionId?: string | undefined;
  readonly range: ByteRange | undefined;
  readonly signal: AbortSignal | undefined;
  /** Sees the command before it is sent. */
  readonly onCommand?: (command: GetObjectCommand) => void;
}

/** As `read` of a store. */
export async function* readObject(
  { client, bucket: Bucket, keyOf, explain }: S3Place,
  { name, versionId: VersionId, range, signal, onCommand }: WantedBytes,
): AsyncGenerator<Uint8Array> {
  const Range = range === undefined ? undefined : `bytes=${range.offset}-${range.offset + range.length - 1}`;
  try {
    const request = new GetObjectCommand({ Bucket, Key: keyOf(name), VersionId, Range });
    onCommand?.(request);
    const answer = await client.send(request, until(signal));
    const body = answer.Body;
    if (!(body instanceof Readable)) throw unavailable('an answer without a body', name);
    yield* wholeBody(body, { name, wantedBytes: range?.length, announcedBytes: answer.ContentLength });
  } catch (error) {
    const { name: code, status } = s3ErrorOf(error);
    if (status === 416) failTooShort(name);
    if (status === 404 && code !== 'NoSuchBucket') failMissing(name);
    throw explain(error, name, signal);
  }
}
