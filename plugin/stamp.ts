/** The time as part of an object's name: `2026-11-21-063000`, UTC, as Stork's tool names its Actions. Pure. */
export function stampOf(now: Date): string {
  const [day = '', time = ''] = now.toISOString().split('T');
  return `${day}-${time.slice(0, 8).replaceAll(':', '')}`;
}
