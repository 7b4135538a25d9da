/** Lines of pods' logs: which are about an operation, and how they look to a person. Pure. */
import { printable } from '../render-table.ts';

export interface LogLine {
  /** As the kubelet stamped it, RFC 3339 with a fixed number of digits. */
  readonly stamp: string;
  readonly pod: string;
  readonly text: string;
}

/** Of a log read with timestamps. */
export function readLines(pod: string, log: string): readonly LogLine[] {
  return log
    .split('\n')
    .filter((line) => line.includes(' '))
    .map((line) => {
      const at = line.indexOf(' ');
      return { stamp: line.slice(0, at), pod, text: line.slice(at + 1) };
    });
}

/** Agents log of many operations; what is about this one carries its uid, or the run of one of its movers. */
export function isAbout({ text }: LogLine, ids: readonly string[]): boolean {
  return ids.some((id) => text.includes(id));
}

/** Told by the line itself already, or the same on each line. */
const leftOut: ReadonlySet<string> = new Set(['time', 'level', 'message', 'uid', 'operation', 'key', 'machine']);

/** `2026-11-21T09:30:00Z info stork-agent-x advance stage=Volumes next=Applications`. */
export function renderLogLine({ stamp, pod, text }: LogLine): string {
  const fields = fieldsOf(text);
  const time = `${stamp.slice(0, 19)}Z`;
  if (fields === undefined || typeof fields.message !== 'string') return printable(`${time} ${pod} ${text}`);
  const rest = Object.entries(fields)
    .filter(([name]) => !leftOut.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return printable([time, String(fields.level ?? ''), pod, fields.message, ...rest].join(' '));
}

/** Of a line of JSON; `undefined` of any other. */
export function fieldsOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}
