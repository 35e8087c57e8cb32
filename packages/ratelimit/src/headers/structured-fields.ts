import { parseDictionary, parseList, serializeList, Token, type BareItem, type Item } from 'structured-headers';

/** A member of a list: a name and its parameters. */
export interface NamedItem {
  readonly name: string;
  readonly parameters: Readonly<Record<string, number | string | Uint8Array | undefined>>;
}

/** More members than a server has limits are ignored. */
const MAX_ITEMS = 20;
const MAX_FIELD_LENGTH = 4_096;

/** Serialises a list of strings with parameters (RFC 9651). Parameters that are undefined are left out. */
export function serializeItems(items: readonly NamedItem[]): string {
  return serializeList(
    items.map(({ name, parameters }): Item => {
      const present = Object.entries(parameters).filter(([, value]) => value !== undefined);
      return [name, new Map(present as [string, BareItem][])];
    }),
  );
}

/** Parses a list of strings, tokens or integers with parameters; undefined when it is malformed. Never throws. */
export function parseItems(text: string): NamedItem[] | undefined {
  return tryParse(text, () =>
    parseList(text)
      .slice(0, MAX_ITEMS)
      .flatMap(([value, parameters]) => {
        const name = typeof value === 'string' || typeof value === 'number' ? String(value) : nameOf(value);
        return name === undefined ? [] : [{ name, parameters: parametersOf(parameters) }];
      }),
  );
}

/** Parses a dictionary of numbers; undefined when it is malformed. Never throws. */
export function parseNumbers(text: string): Map<string, number> | undefined {
  return tryParse(text, () => {
    const numbers = new Map<string, number>();
    for (const [name, [value]] of parseDictionary(text)) if (typeof value === 'number') numbers.set(name, value);
    return numbers;
  });
}

function tryParse<T>(text: string, parse: () => T): T | undefined {
  if (text.length > MAX_FIELD_LENGTH) return undefined;
  try {
    return parse();
  } catch {
    return undefined;
  }
}

function nameOf(value: unknown): string | undefined {
  return value instanceof Token ? value.toString() : undefined;
}

/** Converts the parameters of the supported types. The record has no prototype, since the names are untrusted. */
function parametersOf(parameters: ReadonlyMap<string, BareItem>): Record<string, number | string | Uint8Array> {
  const record: Record<string, number | string | Uint8Array> = Object.create(null) as Record<string, number>;
  for (const [name, value] of parameters) {
    if (typeof value === 'number' || typeof value === 'string') record[name] = value;
    else if (value instanceof ArrayBuffer) record[name] = new Uint8Array(value);
  }
  return record;
}
