import { CENSOR, isPii, isSecret } from '../sensitive.ts';
import { isError } from '../is-error.ts';
import { writeError } from './error-writer.ts';
import type { ValueWriter } from './value-writer.ts';

/** Whether a property with this value is written at all, as by `JSON.stringify`. */
export function hasJsonForm(value: unknown): boolean {
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol';
}

/**
 * Writes values that are masked (secrets, personal data), that `JSON.stringify` would lose (Map, Set, errors) or that
 * would be too long (buffers). Returns false, and writes nothing, for any other object.
 */
export function writeSpecial(value: object, writer: ValueWriter, depth: number): boolean {
  if (isSecret(value)) {
    writer.out += `"${CENSOR}"`;
  } else if (isPii(value)) {
    writer.writePii(value, writer, depth);
  } else if (isError(value)) {
    writeError(value, writer, depth);
  } else if (value instanceof Date) {
    writer.out += Number.isNaN(value.getTime()) ? 'null' : `"${value.toISOString()}"`;
  } else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    const name = value instanceof Uint8Array && Buffer.isBuffer(value) ? 'Buffer' : value.constructor.name;
    writer.out += writer.text.quote(`[${name} ${value.byteLength}]`);
  } else if (value instanceof Map) {
    writeMap(value, writer, depth);
  } else if (value instanceof Set) {
    writer.writeItems(firstOf(value, writer.limits.items), depth);
  } else if (value instanceof URL || value instanceof RegExp) {
    writer.out += writer.text.quote(String(value));
  } else if (value instanceof String || value instanceof Number || value instanceof Boolean) {
    writer.writeValue(value.valueOf(), depth);
  } else if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) {
    writer.out += writer.text.quote(`[${value.constructor.name}]`);
  } else if (isHeaders(value)) {
    writeMap(new Map(value), writer, depth);
  } else {
    return false;
  }
  return true;
}

/**
 * The first `count` items and one more, by which the writer sees that there are more. Uses the iterator of
 * `Set.prototype`, since that of a subclass may throw or never end.
 */
function firstOf(set: ReadonlySet<unknown>, count: number): unknown[] {
  const list: unknown[] = [];
  for (const item of Set.prototype.values.call(set)) {
    if (list.length > count) break;
    list.push(item);
  }
  return list;
}

/** Writes a Map as an object. Keys whose text is the same get a number, since names in JSON must be unique. */
function writeMap(map: ReadonlyMap<unknown, unknown>, writer: ValueWriter, depth: number): void {
  const names = new Set<string>();
  let written = 0;
  writer.out += '{';
  for (const [key, value] of Map.prototype.entries.call(map)) {
    if (names.size >= writer.limits.items || !writer.reserveValue()) {
      writer.writeMark(written === 0, `+${map.size - names.size}`);
      break;
    }
    const name = uniqueName(nameOf(key), names);
    names.add(name);
    // In an object without a prototype, "__proto__" becomes a property like any other.
    const source = Object.create(null) as Record<string, unknown>;
    source[name] = value;
    if (writer.writeProperty(source, name, written === 0, depth + 1, map)) written++;
  }
  writer.out += '}';
}

function nameOf(key: unknown): string {
  if (typeof key !== 'object' || key === null) return String(key);
  return key instanceof Date ? key.toISOString() : `[${typeof key}]`;
}

function uniqueName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  let number = 2;
  while (taken.has(`${name}#${number}`)) number++;
  return `${name}#${number}`;
}

function isHeaders(value: object): value is Headers {
  return typeof Headers === 'function' && value instanceof Headers;
}
