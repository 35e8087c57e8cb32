import { createHmac } from 'node:crypto';
import type { RedactOptions } from '../options.ts';
import type { Pii } from '../sensitive.ts';
import type { ValueWriter } from './value-writer.ts';

/** Writes personal data, by the option `redact.pii`. */
export type WritePii = (pii: Pii<unknown>, writer: ValueWriter, depth: number) => void;

const MASK = '"[pii]"';

/** Returns the function that writes personal data: masked, as a keyed hash, or unchanged. */
export function piiWriter({ pii = 'mask', hashKey = '' }: RedactOptions): WritePii {
  if (pii === 'off') return (value, writer, depth) => writer.writeValue(value.reveal(), depth);
  if (pii === 'mask') return (_value, writer) => void (writer.out += MASK);
  return (value, writer) => {
    const revealed = value.reveal();
    // Objects have no text that tells them apart and is the same in every process.
    writer.out += isObject(revealed) ? MASK : `"pii_${hashOf(String(revealed), hashKey)}"`;
  };
}

function isObject(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function hashOf(text: string, key: string): string {
  return createHmac('sha256', key).update(text).digest('hex').slice(0, 16);
}
