/**
 * Reads what the scripts of hold-script.ts report about one background command, and says what it amounts to.
 * The text comes out of an application's container, so nothing in it is trusted beyond its form.
 */
export type HoldReport =
  /** No directory could be written to. */
  | { readonly phase: 'NoPlace' }
  /** Nothing of this command is there: never started, cleared, or the container was replaced. */
  | { readonly phase: 'Absent' }
  | { readonly phase: 'Starting'; readonly output: string }
  | { readonly phase: 'Holding'; readonly output: string }
  /** The hold is over and the command is ending. */
  | { readonly phase: 'Ending'; readonly output: string; readonly expired: 'Yes' | 'No' }
  /** The processes are gone without having said goodbye. */
  | { readonly phase: 'Lost'; readonly output: string }
  | {
      readonly phase: 'Ended';
      readonly exitCode: number;
      /** Whether ${WAIT_CMD} was ever reached. */
      readonly held: 'Yes' | 'No';
      /** The deadline inside the pod ended the hold, not we. */
      readonly expired: 'Yes' | 'No';
      readonly heldMs: number | undefined;
      readonly output: string;
    };

/** `undefined` when the text isn't a report at all (the shell failed before it could say anything). */
export function readHoldReport(text: string): HoldReport | undefined {
  const facts = readFacts(text);
  if (facts === undefined) return undefined;
  const { values, output } = facts;
  const place = values.get('place');
  if (place === 'none') return { phase: 'NoPlace' };
  if (place === 'absent') return { phase: 'Absent' };
  const holdingMs = number(values.get('holding'));
  const held = values.has('holding') ? 'Yes' : 'No';
  const expired = values.has('expired') ? 'Yes' : 'No';
  const exitCode = number(values.get('exit'));
  if (exitCode !== undefined) {
    const endMs = number(values.get('end'));
    const heldMs = holdingMs === undefined || endMs === undefined ? undefined : Math.max(0, endMs - holdingMs);
    return { phase: 'Ended', exitCode, held, expired, heldMs, output };
  }
  if (values.get('runner') === 'dead') return { phase: 'Lost', output };
  if (held === 'No') return { phase: 'Starting', output };
  if (values.has('released') || values.has('expired')) return { phase: 'Ending', expired, output };
  return values.get('waiter') === 'alive' ? { phase: 'Holding', output } : { phase: 'Lost', output };
}

const factLimit = 64;

function readFacts(
  text: string,
): { readonly values: ReadonlyMap<string, string>; readonly output: string } | undefined {
  const values = new Map<string, string>();
  let at = 0;
  for (let lines = 0; lines < factLimit; lines += 1) {
    const end = text.indexOf('\n', at);
    const line = end === -1 ? text.slice(at) : text.slice(at, end);
    at = end === -1 ? text.length : end + 1;
    if (line === 'stork output') return { values, output: text.slice(at) };
    const fact = /^stork ([a-z]+)=(\S{0,40})$/.exec(line);
    const [, name, value] = fact ?? [];
    if (name !== undefined && value !== undefined && !values.has(name)) values.set(name, value);
    if (at >= text.length) break;
  }
  return values.size === 0 ? undefined : { values, output: '' };
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
}
