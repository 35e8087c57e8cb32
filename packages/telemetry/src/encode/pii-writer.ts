import { createHmac } from 'node:crypto';
import type { RedactOptions } from '../options.ts';
import type { WritePii } from './value-writer.ts';

/** Returns the function that writes personal data: masked, as a keyed hash, or unchanged. */
export function piiWriter({ pii = 'mask', hashKey = '' }: RedactOptions): WritePii {
  if (pii === 'off') return (value, writer) => writer.writeValue(value.reveal(), writer.maxDepth - 1);
  if (pii === 'mask') return (_value, writer) => void (writer.out += '"[pii]"');
  return (value, writer) => {
    const digest = createHmac('sha256', hashKey).update(String(value.reveal())).digest('hex');
    writer.out += `"pii_${digest.slice(0, 16)}"`;
  };
}
