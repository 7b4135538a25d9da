/** What a store's server answers, held against how much was to come. */
import { failCutOff, failTooShort, unavailable } from './store-error.ts';

export interface ExpectedBody {
  readonly name: string;
  /** Undefined: the whole object. */
  readonly wantedBytes: number | undefined;
  /** As the answer says. */
  readonly announcedBytes: number | undefined;
}

/**
 * The body's pieces; one that is not read to its end is let go.
 * @throws `ObjectTooShort` before the first piece when less is announced than wanted; `StoreUnavailable` when it ends early
 */
export async function* wholeBody(
  body: AsyncIterable<unknown>,
  { name, wantedBytes, announcedBytes }: ExpectedBody,
): AsyncGenerator<Uint8Array> {
  if (wantedBytes !== undefined && (announcedBytes ?? wantedBytes) < wantedBytes) {
    if ('destroy' in body && typeof body.destroy === 'function') body.destroy();
    failTooShort(name);
  }
  let received = 0;
  for await (const piece of body) {
    if (!(piece instanceof Uint8Array)) throw unavailable('a body that is no bytes', name);
    received += piece.length;
    yield piece;
  }
  if (received !== (wantedBytes ?? announcedBytes ?? received)) failCutOff(name);
}
