import { createHmac } from 'node:crypto';
import type { RedactOptions } from '../options.ts';
import type { WritePii } from './value-writer.ts';

/** How a log shows personal data: masked, as a hash that joins, or as it is. */
export function piiWriter({ pii = 'mask', hashKey = '' }: RedactOptions): WritePii {
  if (pii === 'off') return (value, writer) => writer.value(value.reveal(), writer.maxDepth - 1);
  if (pii === 'mask') return (_value, writer) => void (writer.out += '"[pii]"');
  return (value, writer) => {
    const digest = createHmac('sha256', hashKey).update(String(value.reveal())).digest('hex');
    writer.out += `"pii_${digest.slice(0, 16)}"`;
  };
}
