/**
 * Reads JSON of a known form from its text, a character for each byte, without making anything of it. Whoever finds another form parses it.
 */

const [zero, nine] = [0x30, 0x39];
/** More may be more than a double holds. */
const digitsAtMost = 15;

/** A class, as there are many. */
export class TextReader {
  readonly text: string;
  at: number;

  constructor(text: string, at: number) {
    this.text = text;
    this.at = at;
  }

  skip(expected: string): boolean {
    if (!this.text.startsWith(expected, this.at)) return false;
    this.at += expected.length;
    return true;
  }

  /** To the end of a text without escapes, which is not skipped. */
  skipText(): boolean {
    const end = this.text.indexOf('"', this.at);
    const isPlain = end >= 0 && !this.text.slice(this.at, end).includes('\\');
    if (isPlain) this.at = end;
    return isPlain;
  }

  /** A whole number from 0 on; -1 when there is none, or it is too large to be exact. */
  number(): number {
    const { text, at: begin } = this;
    let value = 0;
    let { at } = this;
    for (let code = text.charCodeAt(at); code >= zero && code <= nine; code = text.charCodeAt(at)) {
      value = value * 10 + (code - zero);
      at++;
    }
    this.at = at;
    return at === begin || at - begin > digitsAtMost ? -1 : value;
  }
}
