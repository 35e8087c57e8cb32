/** Bounds of one line. What is cut shows as `[…]`, and is counted in `stats().cut`. */
export interface LineLimits {
  /** Longest line, in bytes of UTF-8. Default: 65,536; at least 4,096. */
  lineBytes: number;
  /** Longest string, in bytes of JSON text. Default: 8,192, and at most an eighth of the line. */
  stringBytes: number;
  /** Deepest nesting. Default: 8. */
  depth: number;
  /** Most properties of an object, and most items of an array. Default: 100. */
  items: number;
  /** Most values in a line. Default: 1,000. */
  nodes: number;
}

export const defaultLimits: LineLimits = { lineBytes: 65_536, stringBytes: 8_192, depth: 8, items: 100, nodes: 1_000 };

/** Names in order of their use in messages. */
export const limitNames: readonly (keyof LineLimits)[] = ['lineBytes', 'stringBytes', 'depth', 'items', 'nodes'];
