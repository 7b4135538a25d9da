/** How the repository's modules fail: a StorkError with a stable code. */
import { StorkError } from '../../kube/errors.ts';

/** Bytes that are not what they should be: nothing of them is used. Trying again doesn't help. */
export function failDamaged(message: string, about?: string, cause?: unknown): never {
  throw new StorkError({
    code: 'RepositoryDamaged',
    message,
    about,
    hint: 'Run `stork-agent verify` to see which restore points are concerned.',
    cause,
  });
}

export function failRepository(code: string, message: string, about?: string, hint?: string): never {
  throw new StorkError({ code, message, about, hint });
}
