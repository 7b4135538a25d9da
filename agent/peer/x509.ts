/**
 * Writes the few X.509 certificates we need (P-256, ECDSA with SHA-256), because node:crypto reads certificates but makes
 * none. DER as RFC 5280 wants it: a self-signed certificate (the pair's identity, or the CA for movers) and leaves of it.
 * Pure but for the signature's own randomness.
 */
import { createHash, type KeyObject, sign } from 'node:crypto';

export interface CertificateRequest {
  readonly subject: string;
  /** Positive, ≤ 16 bytes. */
  readonly serial: Uint8Array;
  readonly notBefore: Date;
  /** `Never` is RFC 5280's 9999-12-31: for certificates that are trusted by their pinned key alone. */
  readonly notAfter: Date | 'Never';
  readonly publicKey: KeyObject;
  readonly use: 'Identity' | 'Authority' | 'Server';
  /** DNS names it is good for. */
  readonly dnsNames?: readonly string[];
  readonly issuer: { readonly name: string; readonly privateKey: KeyObject; readonly publicKey: KeyObject };
}

/** The certificate as PEM. */
export function writeCertificate(request: CertificateRequest): string {
  const tbs = toBeSigned(request);
  const signature = sign('sha256', tbs, { key: request.issuer.privateKey, dsaEncoding: 'der' });
  const der = sequence(tbs, ecdsaWithSha256, bitString(signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** SHA-256 of the SubjectPublicKeyInfo, base64url: what a peer is known by. */
export function pinOf(publicKey: KeyObject): string {
  return createHash('sha256').update(spkiOf(publicKey)).digest('base64url');
}

function toBeSigned(request: CertificateRequest): Buffer {
  const { subject, issuer, publicKey } = request;
  return sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(request.serial),
    ecdsaWithSha256,
    nameOf(issuer.name),
    sequence(timeOf(request.notBefore), timeOf(request.notAfter)),
    nameOf(subject),
    spkiOf(publicKey),
    explicit(3, sequence(...extensionsOf(request))),
  );
}

function extensionsOf(request: CertificateRequest): readonly Buffer[] {
  const authority = request.use === 'Authority';
  // Bits count from the left: digitalSignature is 0, keyCertSign 5, cRLSign 6.
  const keyUsage = authority ? Buffer.from([0x03, 0x02, 0x01, 0x06]) : Buffer.from([0x03, 0x02, 0x07, 0x80]);
  const purposes = { Identity: [serverAuth, clientAuth], Server: [serverAuth], Authority: [] }[request.use];
  const names = (request.dnsNames ?? []).map((name) => der(0x82, Buffer.from(name, 'latin1')));
  return [
    extension('2.5.29.19', 'Critical', authority ? sequence(der(0x01, Buffer.from([0xff]))) : sequence()),
    extension('2.5.29.15', 'Critical', keyUsage),
    ...(purposes.length === 0 ? [] : [extension('2.5.29.37', 'Plain', sequence(...purposes))]),
    ...(names.length === 0 ? [] : [extension('2.5.29.17', 'Plain', sequence(...names))]),
    extension('2.5.29.14', 'Plain', octetString(keyIdOf(request.publicKey))),
    extension('2.5.29.35', 'Plain', sequence(der(0x80, keyIdOf(request.issuer.publicKey)))),
  ];
}

const spkiOf = (key: KeyObject) => key.export({ type: 'spki', format: 'der' });
const keyIdOf = (key: KeyObject) => createHash('sha1').update(spkiOf(key)).digest();

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(body.length)]), body]);
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return [0x80 | bytes.length, ...bytes];
}

const sequence = (...items: readonly Uint8Array[]) => der(0x30, ...items);
const explicit = (tag: number, item: Uint8Array) => der(0xa0 | tag, item);
const octetString = (bytes: Uint8Array) => der(0x04, bytes);
const bitString = (bytes: Uint8Array) => der(0x03, Buffer.from([0]), bytes);

/** A positive INTEGER from big-endian bytes: no leading zeros but the one that keeps it positive. */
function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.from([0]) : Buffer.from(bytes.subarray(first));
  return (digits[0] ?? 0) & 0x80 ? der(0x02, Buffer.from([0]), digits) : der(0x02, digits);
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const base128 = (value: number): readonly number[] => {
    const bytes = [value & 0x7f];
    for (let left = value >>> 7; left > 0; left >>>= 7) bytes.unshift((left & 0x7f) | 0x80);
    return bytes;
  };
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function extension(id: string, criticality: 'Critical' | 'Plain', value: Uint8Array): Buffer {
  const critical = criticality === 'Critical' ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...critical, octetString(value));
}

const nameOf = (commonName: string) =>
  sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(commonName)))));

/** UTCTime until 2049, GeneralizedTime from 2050 on, as RFC 5280 section 4.1.2.5 asks. */
function timeOf(date: Date | 'Never'): Buffer {
  if (date === 'Never') return der(0x18, Buffer.from('99991231235959Z'));
  const stamp = `${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(stamp.slice(2))) : der(0x18, Buffer.from(stamp));
}

const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));
const serverAuth = oid('1.3.6.1.5.5.7.3.1');
const clientAuth = oid('1.3.6.1.5.5.7.3.2');
