/** The object `config`: version, the repository's id, and the polynomial that stock restic's chunker needs. */
import { failDamaged, failRepository } from '../repository-error.ts';
import { assertId } from './object-id.ts';
import { parsePolynomial, randomPolynomial } from './polynomial.ts';
import { readJson } from './read-json.ts';

export interface RepositoryConfig {
  readonly version: 2;
  readonly id: string;
  /** Hex, as restic writes it. Ours chunks differently and never uses it. */
  readonly chunkerPolynomial: string;
}

export function newConfig(randomBytes: (sizeBytes: number) => Uint8Array): RepositoryConfig {
  return {
    version: 2,
    id: Buffer.from(randomBytes(32)).toString('hex'),
    chunkerPolynomial: randomPolynomial(randomBytes).toString(16),
  };
}

export const encodeConfig = ({ version, id, chunkerPolynomial }: RepositoryConfig): string =>
  JSON.stringify({ version, id, chunker_polynomial: chunkerPolynomial });

/** Throws `RepositoryDamaged`, or `RepositoryVersion` for a version we don't write. */
export function parseConfig(json: Uint8Array): RepositoryConfig {
  const read = readJson(json, 'config');
  const version = read.count('version');
  if (version !== 2)
    failRepository(
      'RepositoryVersion',
      `The repository has format version ${version}; only 2 is supported`,
      'config',
      'Upgrade it with `restic migrate upgrade_repo_v2`, or make a new repository.',
    );
  const chunkerPolynomial = read.text('chunker_polynomial', 16);
  if (parsePolynomial(chunkerPolynomial) === undefined) failDamaged('chunker_polynomial is no polynomial', 'config');
  return { version: 2, id: assertId(read.text('id'), 'config id'), chunkerPolynomial };
}
