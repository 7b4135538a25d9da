/** Columns as kubectl prints them: upper-case names, three spaces between, nothing after the last. Pure. */

export interface TableOptions {
  readonly headers: 'Show' | 'Hide';
}

export function renderTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = { headers: 'Show' },
): string {
  const shown = options.headers === 'Show' ? [columns, ...rows] : rows;
  return alignRows(shown, widthsOf(shown));
}

/** The widest cell of each column; a watch keeps these for the rows that come later. */
export function widthsOf(rows: readonly (readonly string[])[]): readonly number[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  return Array.from({ length: count }, (_, column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
}

export function alignRows(rows: readonly (readonly string[])[], widths: readonly number[]): string {
  return rows
    .map((row) =>
      row
        .map((cell, column) => printable(cell).padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** What others wrote into objects must not steer a terminal or break a row. */
export function printable(cell: string): string {
  return cell.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');
}
