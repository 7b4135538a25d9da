/** A sheet of paper that opens the repository without us: printed once, kept by nobody but its reader. Pure but for chance. */
import type { RandomBytes } from '../repository.ts';

/** No letters that look like digits (Crockford). */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const passphraseBytes = 20;

/** 160 bits in groups of four, to be typed by hand. */
export function newRecoveryPassphrase(randomBytes: RandomBytes): string {
  let bits = 0n;
  for (const byte of randomBytes(passphraseBytes)) bits = (bits << 8n) | BigInt(byte);
  const letters = Array.from(
    { length: (passphraseBytes * 8) / 5 },
    (_, place) => alphabet[Number((bits >> BigInt(5 * place)) & 31n)],
  );
  return letters.join('').replace(/(.{4})(?=.)/g, '$1-');
}

export function renderRecoveryKit(
  place: string,
  repositoryId: string,
  passphrase: string,
  slot: string,
): readonly string[] {
  return [
    'RECOVERY KIT. Print it, keep it away from the repository, and delete this text: it is shown only now.',
    '',
    `Repository   ${place}`,
    `Its id       ${repositoryId}`,
    `Passphrase   ${passphrase}`,
    `Key slot     ${slot}`,
    '',
    'Without us: install restic (0.14 or newer) from your distribution or https://restic.net, then',
    `  restic -r ${place} snapshots            (type the passphrase, dashes included)`,
    `  restic -r ${place} restore latest --target DIRECTORY`,
    'When this sheet is lost: `stork-agent key remove` its key slot, and make another kit.',
  ];
}
