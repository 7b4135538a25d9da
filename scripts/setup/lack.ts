/** Something that setup could not bring. */
export interface Lack {
  /** What is missing and, where there is one, the command that helps. */
  readonly what: string;
  /** What does not work without it. */
  readonly disables: string;
  /** False when everything that users are promised works without it. */
  readonly essential: boolean;
}

export const renderLack = ({ what, disables }: Lack): string => `missing: ${what}; without it there is no ${disables}`;
