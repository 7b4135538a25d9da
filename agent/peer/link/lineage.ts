/**
 * The keys that vouch for a key: a replaced key signs the certificate of its successor, and the certificates travel with
 * every handshake. So a peer that slept through any number of replacements still recognises whom it trusts. Pure.
 */
import type { X509Certificate } from 'node:crypto';
import { pinOf } from '../x509.ts';

/** Replacements a peer may have slept through. */
export const maxLineage = 8;

/** Pins of the former keys, newest first; each has signed the one before it. What doesn't verify ends the list. */
export function formerPinsOf(certificate: X509Certificate): readonly string[] {
  const pins: string[] = [];
  for (let current = certificate; pins.length < maxLineage; ) {
    const issuer = current.issuerCertificate;
    if (issuer === undefined || issuer.publicKey.asymmetricKeyType !== 'ec') break;
    if (!current.verify(issuer.publicKey)) break;
    const pin = pinOf(issuer.publicKey);
    if (pin === pinOf(current.publicKey)) break;
    pins.push(pin);
    current = issuer;
  }
  return pins;
}
