/** Decides which packages setup has to install. Pure. */

/** Ways to have Go that apt does not know of, for example an unpacked toolchain. */
export interface Present {
  readonly goIsPresent: boolean;
}

/**
 * @param wanted package names, in the order they are to be reported
 * @param installed names that dpkg has as installed
 */
export function decideMissingPackages(
  wanted: readonly string[],
  installed: ReadonlySet<string>,
  present: Present,
): readonly string[] {
  const otherwisePresent = (name: string) => name === 'golang-go' && present.goIsPresent;
  return [...new Set(wanted)].filter((name) => !installed.has(name) && !otherwisePresent(name));
}
