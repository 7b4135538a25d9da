/** The versions that an S3 bucket keeps, and their locks. */
import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import {
  newestFirst,
  type ObjectVersion,
  type StoreVersions,
  type VersionsPage,
  versionsTold,
} from './object-versions.ts';
import { explainLockError, s3ErrorOf } from './s3-error.ts';
import { until } from './s3-multipart.ts';
import type { S3Place } from './s3-place.ts';
import { readObject } from './s3-read.ts';
import { unavailable } from './store-error.ts';

export function s3Versions(place: S3Place, pageObjects: number | undefined): StoreVersions {
  const { client, bucket: Bucket, keyOf, explain } = place;
  const versionOf = (name: string, VersionId: string) => ({ Bucket, Key: keyOf(name), VersionId });
  return {
    areKept: (signal) => areKept(place, signal),
    page: (prefix, from, signal) => versionsPage(place, { prefix, from, pageObjects, signal }),
    of: (name, signal) => versionsOf(place, name, pageObjects, signal),
    async get(name, versionId, range, signal) {
      return Buffer.concat(await Array.fromAsync(readObject(place, { name, versionId, range, signal })));
    },
    async lockOf(name, id, signal) {
      try {
        const request = new GetObjectRetentionCommand(versionOf(name, id));
        const { Mode: mode, RetainUntilDate: end } = (await client.send(request, until(signal))).Retention ?? {};
        return mode === undefined || end === undefined ? undefined : { mode, until: end };
      } catch (error) {
        if (s3ErrorOf(error).name === 'NoSuchObjectLockConfiguration') return undefined;
        throw explainLockError(error, { about: name, bucket: Bucket, signal });
      }
    },
    async lock(name, id, { mode, until: RetainUntilDate }, signal) {
      const Retention = { Mode: mode, RetainUntilDate };
      try {
        await client.send(new PutObjectRetentionCommand({ ...versionOf(name, id), Retention }), until(signal));
      } catch (error) {
        throw explainLockError(error, { about: name, bucket: Bucket, signal });
      }
    },
    async remove(name, id, signal) {
      try {
        await client.send(new DeleteObjectCommand(versionOf(name, id)), until(signal));
      } catch (error) {
        const { name: code, status = 0 } = s3ErrorOf(error);
        if (code === 'NoSuchVersion') return;
        // versitygw (1.8.0) fails at the last version of a name that is gone.
        if (status === 500 && !(await versionsOf(place, name, pageObjects, signal)).some((one) => one.id === id))
          return;
        throw explain(error, name, signal);
      }
    },
  };
}

async function versionsOf(
  place: S3Place,
  name: string,
  pageObjects: number | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly ObjectVersion[]> {
  for (let from: string | undefined; ; ) {
    const { names, next } = await versionsPage(place, { prefix: name, from, pageObjects, signal });
    const found = names.find((one) => one.name === name);
    // The name itself comes first of all that begin with it.
    if (found !== undefined || names.length > 0 || next === undefined) return found?.versions ?? [];
    from = next;
  }
}

async function areKept({ client, bucket: Bucket, explain }: S3Place, signal: AbortSignal | undefined) {
  try {
    const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket }), until(signal));
    // Suspended: what was kept until then still is.
    return Status === undefined ? 'No' : 'Yes';
  } catch (error) {
    const { name, status } = s3ErrorOf(error);
    if (status === 405 || status === 501 || (status === 403 && name === 'AccessDenied')) return 'Unknown';
    throw explain(error, `bucket ${Bucket}`, signal);
  }
}

interface PageWish {
  readonly prefix: string;
  /** A key: those after it. */
  readonly from: string | undefined;
  readonly pageObjects: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** All versions of a key on one page, in as many requests as that takes. */
async function versionsPage(
  { client, bucket: Bucket, keyOf, nameOf, run }: S3Place,
  { prefix, from, pageObjects, signal }: PageWish,
): Promise<VersionsPage> {
  const found = new Map<string, ObjectVersion[]>();
  for (let KeyMarker = from, VersionIdMarker: string | undefined; ; ) {
    const request = new ListObjectVersionsCommand({
      ...{ Bucket, Prefix: keyOf(prefix), KeyMarker, VersionIdMarker },
      ...(pageObjects === undefined ? {} : { MaxKeys: pageObjects }),
    });
    const answer = await run(prefix, signal, () => client.send(request, until(signal)));
    // Some servers begin with the marker's key, others after it; some tell an entry twice.
    for (const { key, version } of entriesOf(answer)) if (from === undefined || key > from) add(found, key, version);
    const keys = [...found.keys()].sort();
    // Of the last key there may be more to come.
    const complete = answer.IsTruncated === true ? keys.slice(0, -1) : keys;
    if (answer.IsTruncated !== true || complete.length > 0) {
      const names = complete.map((key) => ({
        name: nameOf(key),
        versions: (found.get(key) ?? []).toSorted(newestFirst),
      }));
      return { names, next: answer.IsTruncated === true ? complete.at(-1) : undefined };
    }
    ({ NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = answer);
    if (KeyMarker === undefined) throw unavailable('a listing that does not say where it goes on', prefix);
  }
}

function* entriesOf({ Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput) {
  const both = [
    ...Versions.map(({ Size = 0, ...one }) => ({ ...one, kind: 'Object' as const, sizeBytes: Size })),
    ...DeleteMarkers.map((one) => ({ ...one, kind: 'Deletion' as const, sizeBytes: 0 })),
  ];
  for (const { Key: key, VersionId: id, LastModified, IsLatest, kind, sizeBytes } of both) {
    // Keys that end with a slash are what some tools make for directories.
    if (key === undefined || id === undefined || LastModified === undefined || key.endsWith('/')) continue;
    const madeAt = timeOfUlid(id) ?? LastModified;
    yield { key, version: { id, kind, sizeBytes, madeAt, isLatest: IsLatest === true } };
  }
}

function add(found: Map<string, ObjectVersion[]>, key: string, version: ObjectVersion): void {
  const versions = found.get(key) ?? [];
  if (versions.some(({ id }) => id === version.id)) return;
  // What was there before an attack and what counts now are at the ends.
  if (versions.length >= versionsTold) versions.splice(versionsTold / 2, 1);
  versions.push(version);
  found.set(key, versions);
}

const ulid = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const ulidDigits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * versitygw (1.8.0) tells of an older version not when it was made but when the next one was, and of a deletion when what it hides was
 * made. Its version ids are ULIDs, whose first ten digits are the millisecond in which they were made. Other servers' ids look otherwise.
 */
export function timeOfUlid(id: string): Date | undefined {
  if (!ulid.test(id)) return undefined;
  return new Date([...id.slice(0, 10)].reduce((sum, digit) => sum * 32 + ulidDigits.indexOf(digit), 0));
}
