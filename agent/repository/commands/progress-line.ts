/** The line that a terminal shows while bytes move: how much, how fast, how long to go. */

import type { Terminal } from '../../../kube/ambient.ts';
import type { Clock } from '../../../kube/clock.ts';

export interface Moved {
  readonly what: string;
  readonly files: number;
  readonly bytes: number;
  /** About; unknown when 0. */
  readonly totalBytes: number;
}

export interface ProgressLine {
  show(moved: Moved): void;
  /** Takes the line away. */
  end(): void;
}

const everyMs = 200;

/** Some terminals don't know, and say 0. */
const columnsOf = ({ columns = 0 }: Terminal): number => (columns > 0 ? columns : 80);

/** Shows nothing unless `to` is a terminal. */
export function progressLine(to: Terminal, clock: Clock): ProgressLine {
  const startedMs = clock.monotonicMs();
  let shownMs = Number.NEGATIVE_INFINITY;
  const isShown = () => shownMs > Number.NEGATIVE_INFINITY;
  return {
    show(moved) {
      if (to.isTTY !== true || clock.monotonicMs() - shownMs < everyMs) return;
      shownMs = clock.monotonicMs();
      to.write(`\r\u001b[K${renderProgress(moved, shownMs - startedMs, columnsOf(to))}`);
    },
    end: () => void (isShown() && to.write('\r\u001b[K')),
  };
}

export function renderProgress({ what, files, bytes, totalBytes }: Moved, elapsedMs: number, columns: number): string {
  const rate = elapsedMs < 1000 ? 0 : (bytes / elapsedMs) * 1000;
  const left = totalBytes > bytes && rate > 0 ? `, about ${renderSpan((totalBytes - bytes) / rate)} to go` : '';
  const share = totalBytes > 0 ? ` of ${renderBytes(totalBytes)}` : '';
  const line = `[${renderSpan(elapsedMs / 1000)}] ${what}: ${files} files, ${renderBytes(bytes)}${share}, ${renderBytes(rate)}/s${left}`;
  return line.slice(0, Math.max(0, columns - 1));
}

export function renderBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? Math.round(value) : value.toFixed(value < 10 ? 2 : 1)} ${units[power]}`;
}

function renderSpan(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return whole < 3600 ? minutes : `${Math.floor(whole / 3600)}:${minutes}`;
}
