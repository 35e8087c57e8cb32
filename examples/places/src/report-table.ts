/** Formats rows as a table: the first column left-aligned, the others right-aligned. The first row is the header. */
export function table(cells: readonly (readonly string[])[]): string[] {
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('   ')
      .trimEnd(),
  );
  const [header = '', ...body] = lines;
  return [header, '-'.repeat(Math.max(...lines.map(({ length }) => length))), ...body];
}
