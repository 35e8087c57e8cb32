/** Bounds of one log line. What is cut is shown as `[…]` and counted in `stats().cut`. */
export interface LineLimits {
  /** Maximum length of a line, in bytes of UTF-8, at least 4,096. Default: 65,536. */
  lineBytes: number;
  /** Maximum length of a string without the mark of a cut, in bytes of JSON text; at most an eighth of the line. Default: 8,192. */
  stringBytes: number;
  /** Maximum nesting depth. Default: 8. */
  depth: number;
  /** Maximum number of properties of an object, and of items of an array. Default: 100. */
  items: number;
  /** Maximum number of values in a line. Default: 1,000. */
  nodes: number;
}

export const defaultLimits: LineLimits = { lineBytes: 65_536, stringBytes: 8_192, depth: 8, items: 100, nodes: 1_000 };

/** The names of the limits, in the order in which error messages list them. */
export const limitNames: readonly (keyof LineLimits)[] = ['lineBytes', 'stringBytes', 'depth', 'items', 'nodes'];

/**
 * Returns the maximum length of bindings and fields together, in bytes. Left over for the message and the stack of an error as
 * the last value, and for the message of the line. The rest is for level, time and trace, for names in an error, and for a
 * mark and a bracket at each depth.
 */
export function fieldBytesOf({ lineBytes, depth }: LineLimits, textBytes: number, processBytes: number): number {
  return lineBytes - processBytes - 3 * textBytes - 704 - 32 * depth;
}
