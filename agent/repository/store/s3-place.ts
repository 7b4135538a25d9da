/** A part of a bucket: names to keys and back, and failures explained. */
import type { S3Client } from '@aws-sdk/client-s3';
import { explainS3Error } from './s3-error.ts';

export interface S3Place {
  readonly client: S3Client;
  readonly bucket: string;
  keyOf(name: string): string;
  nameOf(key: string): string;
  /** The error to throw. */
  explain(error: unknown, about: string, signal: AbortSignal | undefined): unknown;
  /** Throws what `explain` says. */
  run<Result>(about: string, signal: AbortSignal | undefined, request: () => Promise<Result>): Promise<Result>;
}

/** @param prefix without slashes at its ends; may be empty */
export function s3Place(client: S3Client, bucket: string, prefix: string): S3Place {
  const explain: S3Place['explain'] = (error, about, signal) => explainS3Error(error, { about, bucket, signal });
  return {
    ...{ client, bucket, explain },
    keyOf: (name) => (prefix === '' ? name : `${prefix}/${name}`),
    nameOf: (key) => (prefix === '' ? key : key.slice(prefix.length + 1)),
    async run(about, signal, request) {
      try {
        return await request();
      } catch (error) {
        throw explain(error, about, signal);
      }
    },
  };
}
