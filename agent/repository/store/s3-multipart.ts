/** Uploads a large object in parts, several at once; it appears when all are there, exclusively if asked so. A failure leaves nothing. */
import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';

export interface Parts {
  readonly client: S3Client;
  readonly bytes: Uint8Array;
  readonly partBytes: number;
  readonly signal: AbortSignal | undefined;
}

/** How the SDK takes a signal. */
export const until = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { abortSignal: signal });

/** Of one object; the caller's objects at once multiply it. */
const partsAtOnce = 3;

/** Throws the SDK's errors. */
export async function multipartUpload(
  { IfNoneMatch, ...target }: CreateMultipartUploadCommandInput & { readonly IfNoneMatch: string | undefined },
  { client, bytes, partBytes, signal }: Parts,
): Promise<void> {
  const at = { Bucket: target.Bucket, Key: target.Key };
  const create = new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'SHA256' });
  const { UploadId } = await client.send(create, until(signal));
  try {
    const begins = Array.from({ length: Math.ceil(bytes.length / partBytes) }, (_, index) => index * partBytes);
    const uploaded = await mapLimit(
      begins,
      partsAtOnce,
      async (begin, _stop, index) => {
        const Body = bytes.subarray(begin, begin + partBytes);
        const ChecksumSHA256 = createHash('sha256').update(Body).digest('base64');
        const part = { PartNumber: index + 1, ChecksumSHA256 };
        const command = new UploadPartCommand({ ...at, UploadId, ...part, Body, ContentLength: Body.length });
        // Not stopped by another part's failure: what is on its way when an upload is aborted may still be stored behind the abort.
        const { ETag } = await client.send(command, until(signal));
        return { ...part, ETag };
      },
      signal,
    );
    const complete = { ...at, UploadId, IfNoneMatch, MultipartUpload: { Parts: uploaded } };
    await client.send(new CompleteMultipartUploadCommand(complete), until(signal));
  } catch (error) {
    // Without the caller's signal, which may be what ended it; what stays all the same is removed by removeLeftovers.
    await client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => undefined);
    throw error;
  }
}
