/** What fills the gaps of a directory's text, in any order. Ids, of which there may be half a million, lie in 32 bytes each. */

import { idBytes, isId } from '../format/object-id.ts';

export interface GapTexts {
  /** Another gap: its number. */
  add(): number;
  /** Undefined: the entry is left out, as it is until something is set. */
  set(gap: number, text: string | undefined): void;
  get(gap: number): string | undefined;
}

/** Fewer are simply kept: most directories have few. */
const simplyKept = 1024;
const gapsPerPage = 1024;

interface Page {
  readonly ids: Buffer;
  readonly hasId: Uint8Array;
}

export function gapTexts(): GapTexts {
  const texts = new Map<number, string>();
  const pages: Page[] = [];
  let count = 0;
  const pageOf = (gap: number): Page | undefined => pages[Math.floor(gap / gapsPerPage)];
  return {
    add: () => count++,
    set(gap, text) {
      if (text === undefined) return;
      if (gap < simplyKept || !isId(text)) return void texts.set(gap, text);
      const number = Math.floor(gap / gapsPerPage);
      const page = pages[number] ?? {
        ids: Buffer.allocUnsafeSlow(idBytes * gapsPerPage),
        hasId: new Uint8Array(gapsPerPage),
      };
      pages[number] = page;
      page.ids.write(text, (gap % gapsPerPage) * idBytes, 'hex');
      page.hasId[gap % gapsPerPage] = 1;
    },
    get(gap) {
      const [page, at] = [pageOf(gap), gap % gapsPerPage];
      return page?.hasId[at] === 1 ? page.ids.toString('hex', at * idBytes, (at + 1) * idBytes) : texts.get(gap);
    },
  };
}
