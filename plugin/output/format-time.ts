/** Times and durations as Stork's tool shows them: RFC 822 in UTC, Go's `1m16s`. Pure. */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** `09 Jul 19 02:15 UTC`; an absent or unreadable time is an empty text. */
export function formatTime(stamp: string | undefined): string {
  const time = new Date(stamp ?? '');
  if (Number.isNaN(time.getTime())) return '';
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${two(time.getUTCDate())} ${months[time.getUTCMonth()]} ${two(time.getUTCFullYear() % 100)}`;
  return `${day} ${two(time.getUTCHours())}:${two(time.getUTCMinutes())} UTC`;
}

/** `1h2m3s`, `1m16s`, `5s`; parts of a second are dropped. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours}h${minutes}m${seconds % 60}s`;
  if (minutes > 0) return `${minutes}m${seconds % 60}s`;
  return `${seconds}s`;
}

/** From one stamp to another (or now); empty without a start. */
export function formatElapsed(from: string | undefined, until: string | undefined, now: Date): string {
  const start = Date.parse(from ?? '');
  if (Number.isNaN(start)) return '';
  const end = Date.parse(until ?? '');
  return formatDuration((Number.isNaN(end) ? now.getTime() : end) - start);
}
