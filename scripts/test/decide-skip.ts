/** Which phases a machine cannot run, and why. Pure. */
export interface Host {
  readonly platform: string;
  readonly arch: string;
  readonly isRoot: boolean;
}

/** What a phase needs of the machine beyond the packages that setup brings. */
export type Need = 'Linux' | 'Root';

/** @returns the reason, in words that complete "skipped:"; undefined when the phase can run */
export function decideSkip(need: Need | undefined, { platform, arch, isRoot }: Host): string | undefined {
  if (need === undefined) return undefined;
  if (platform !== 'linux' || arch !== 'x64') return `it needs linux x64, this is ${platform} ${arch}`;
  if (need === 'Root' && !isRoot) return 'it needs root, for network namespaces and mounts';
  return undefined;
}
