const PLACEHOLDER = /%[sdifjoOc%]/g;

/**
 * Fills `%s`, `%d`, `%i`, `%f`, `%j`, `%o`, `%O` and `%%` of a message, as pino and `util.format` do. Arguments without a
 * placeholder are left out. `toJson` writes objects, redacted and bounded.
 */
export function formatText(template: string, args: readonly unknown[], toJson: (value: unknown) => string): string {
  let next = 0;
  return template.replace(PLACEHOLDER, (placeholder) => {
    if (placeholder === '%%') return '%';
    if (next >= args.length) return placeholder;
    const arg = args[next++];
    switch (placeholder[1]) {
      case 'd':
      case 'f':
        return numberText(arg, (number) => number);
      case 'i':
        return numberText(arg, Math.floor);
      case 's':
        return typeof arg === 'object' && arg !== null ? toJson(arg) : String(arg);
      case 'c':
        return '';
      default:
        return typeof arg === 'string' ? `'${arg}'` : typeof arg === 'object' ? toJson(arg) : String(arg);
    }
  });
}

function numberText(arg: unknown, round: (number: number) => number): string {
  if (typeof arg === 'bigint') return String(arg);
  return typeof arg === 'object' || typeof arg === 'symbol' ? 'NaN' : String(round(Number(arg)));
}

/** Converts a message that is not a string. If its `toString` throws, the fields of the line must still be written. */
export function textOf(message: unknown): string {
  try {
    return String(message);
  } catch {
    return '[threw]';
  }
}
