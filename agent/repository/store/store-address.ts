/**
 * Where a repository is, as restic writes it: `DIR`, `s3:https://HOST/BUCKET/PREFIX`, `s3:HOST/BUCKET/PREFIX`, `azure:CONTAINER:/PREFIX`,
 * `gs:BUCKET:/PREFIX`, `rest:https://HOST:PORT/PATH`; and for AWS alone `s3:BUCKET/PREFIX`. Pure. Addresses hold no secrets: they are shown, logged and kept in plain
 * text, so one that seems to hold any is refused, and not repeated in the refusal.
 */
import { StorkError } from '../../../kube/errors.ts';

export type StoreAddress =
  | { readonly kind: 'Directory'; readonly path: string }
  | ({ readonly kind: 'S3'; readonly bucket: string } & S3Host & Below)
  | ({ readonly kind: 'Azure'; readonly container: string } & Below)
  | ({ readonly kind: 'GoogleCloud'; readonly bucket: string } & Below)
  /** The URL ends with a slash. */
  | { readonly kind: 'Rest'; readonly url: string };

interface Below {
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
}

interface S3Host {
  /** With its scheme; undefined: AWS, by region. */
  readonly endpoint: string | undefined;
  /** What the host's name says. */
  readonly region: string | undefined;
}

const forms =
  'Write DIR, s3:https://HOST/BUCKET/PREFIX, s3:BUCKET/PREFIX (AWS), azure:CONTAINER:/PREFIX, gs:BUCKET:/PREFIX or rest:https://HOST:PORT/PATH.';

/** Throws `StoreAddressInvalid`, `StoreAddressSecret`. */
export function parseStoreAddress(text: string): StoreAddress {
  const [, schema, given = ''] = /^([a-z0-9+-]{2,}):(.*)$/is.exec(text) ?? [];
  switch (schema?.toLowerCase()) {
    case undefined:
      return directory(text);
    case 'local':
      return directory(given);
    case 's3':
      return s3(given);
    case 'azure': {
      const { place, prefix } = placeAndPrefix('azure', 'container', given);
      return { kind: 'Azure', container: checkPlace('container', place), prefix };
    }
    case 'gs': {
      const { place, prefix } = placeAndPrefix('gs', 'bucket', given);
      return { kind: 'GoogleCloud', bucket: checkPlace('bucket', place), prefix };
    }
    case 'rest':
      return rest(given);
    default:
      return invalid(`there is no kind of store "${schema}"`, `${forms} A directory of that name is ./${schema}:…`);
  }
}

/** The address in its usual form. */
export function renderStoreAddress(address: StoreAddress): string {
  switch (address.kind) {
    case 'Directory':
      return address.path;
    case 'S3': {
      const host =
        address.endpoint ?? `https://s3.${address.region === undefined ? '' : `${address.region}.`}amazonaws.com`;
      return `s3:${[host, address.bucket, address.prefix].filter((part) => part !== '').join('/')}`;
    }
    case 'Azure':
      return `azure:${address.container}:/${address.prefix}`;
    case 'GoogleCloud':
      return `gs:${address.bucket}:/${address.prefix}`;
    case 'Rest':
      return `rest:${address.url}`;
    default:
      return address satisfies never;
  }
}

function directory(path: string): StoreAddress {
  return path === '' ? invalid('it is empty', forms) : { kind: 'Directory', path };
}

const region = '[a-z]{2}(?:-[a-z]+)+-\\d';
const awsHost = new RegExp(`^s3(?:[.-](?:dualstack\\.)?(${region}))?\\.amazonaws\\.com$`);

function s3(rest: string): StoreAddress {
  refuseSecrets('s3', rest, 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with a credentials file');
  const scheme = /^(https?):\/\//i.exec(rest)?.[1]?.toLowerCase();
  const path = rest.replace(/^(https?:)?\/\//i, '');
  const [first = '', ...others] = path.split('/');
  const isHost = scheme !== undefined || /[.:]/.test(first) || first === 'localhost';
  if (isHost) {
    const [bucket = '', ...prefix] = others;
    if (first === '') return invalid('the host is missing', forms);
    if (bucket === '') return invalid(`no bucket follows the host "${first}"`, forms);
    return {
      kind: 'S3',
      ...hostOf(scheme ?? 'https', first),
      bucket: checkPlace('bucket', bucket),
      prefix: prefixOf(prefix),
    };
  }
  if (new RegExp(`^${region}$`).test(first) && others.length > 0)
    return invalid(`"${first}" is a region, not a bucket`, `Write s3:s3.${first}.amazonaws.com/BUCKET/PREFIX.`);
  const aws = { endpoint: undefined, region: undefined };
  return { kind: 'S3', ...aws, bucket: checkPlace('bucket', first), prefix: prefixOf(others) };
}

function hostOf(scheme: string, host: string): S3Host {
  const aws = awsHost.exec(host.toLowerCase());
  if (aws !== null && scheme === 'https') return { endpoint: undefined, region: aws[1] };
  const url = URL.parse(`${scheme}://${host}`);
  if (url === null || url.pathname !== '/') return invalid(`"${host}" is no host`, forms);
  return { endpoint: url.origin, region: undefined };
}

/** Plain HTTP stays on this machine: whoever listens elsewhere would learn the password. */
function rest(text: string): StoreAddress {
  refuseSecrets('rest', text, 'RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD, or -o rest.credentials-file=FILE');
  const url = /^https?:\/\/[^/]/i.test(text) ? URL.parse(text) : null;
  if (url === null) return invalid('it names no http or https URL', 'Write rest:https://HOST:PORT/PATH.');
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    return invalid(
      'plain http would show the password to the network',
      'Write rest:https://…; http: is for 127.0.0.1, [::1] and localhost only.',
    );
  const path = prefixOf(url.pathname.split('/'));
  return { kind: 'Rest', url: `${url.origin}/${path === '' ? '' : `${path}/`}` };
}

/** Whether a host's name or address, as a URL has it, is this machine's own. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);

function placeAndPrefix(schema: 'azure' | 'gs', what: string, rest: string) {
  refuseSecrets(
    schema,
    rest,
    schema === 'azure'
      ? 'AZURE_ACCOUNT_NAME with AZURE_ACCOUNT_KEY or AZURE_ACCOUNT_SAS'
      : 'GOOGLE_APPLICATION_CREDENTIALS',
  );
  const [place = '', ...path] = rest.split(':');
  if (path.length === 0 && place !== '')
    return invalid(`a colon is missing after the ${what} "${place}"`, `Write ${schema}:${place}:/PREFIX.`);
  return { place, prefix: prefixOf(path.join(':').split('/')) };
}

/** One rule for all kinds, a little wider than today's names, so that old buckets stay reachable. */
function checkPlace(what: string, name: string): string {
  if (name === '') return invalid(`the ${what} is missing`, forms);
  return /^[A-Za-z0-9$][A-Za-z0-9._-]{1,221}$/.test(name) && !name.includes('..')
    ? name
    : invalid(
        `"${name}" can't be a ${what}`,
        `A ${what}'s name has two or more letters, digits, dots and dashes. ${forms}`,
      );
}

function prefixOf(parts: readonly string[]): string {
  const kept = parts.filter((part) => part !== '' && part !== '.');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const wrong = kept.find((part) => part === '..' || /[\u0000-\u001f\u007f\\]/.test(part));
  return wrong === undefined
    ? kept.join('/')
    : invalid(`the prefix has a part "${wrong}"`, 'Write the prefix in full.');
}

/** Of a URL's parts, those that carry secrets: what stands before an @ in the host, and the query. */
function refuseSecrets(schema: string, rest: string, instead: string): void {
  const hasUser = /^(https?:)?(\/\/)?[^/]*@/i.test(rest);
  const hasQuery = /[?#]/.test(rest);
  if (!hasUser && !hasQuery) return;
  throw new StorkError({
    code: 'StoreAddressSecret',
    message: hasUser
      ? 'The address of the store holds a user or a key before an @; addresses are not secret'
      : 'The address of the store holds a query (?), which is where signatures stand; addresses are not secret',
    about: `${schema}:…`,
    hint: `Leave it out, and set ${instead}. If it was real, consider it known.`,
  });
}

function invalid(what: string, hint: string): never {
  throw new StorkError({ code: 'StoreAddressInvalid', message: `The address of the store is wrong: ${what}`, hint });
}
