import { applySerializer } from './apply-serializer.ts';
import type { ValueWriter } from './encode/value-writer.ts';
import type { LineFormat } from './line-format.ts';
import type { Serializers } from './options.ts';

const hasOwn = Object.prototype.hasOwnProperty;

/** Writes `,"name":value` for a field at the top of a line, with its serializer, and an error under the name of the format. */
export function writeField(
  values: ValueWriter,
  format: LineFormat,
  fields: object,
  name: string,
  serializers: Serializers | undefined,
): void {
  if (name === 'err' && format.errorName !== 'err') {
    const before = values.out;
    if (!values.writeProperty(fields, name, false, 1)) return;
    values.out = before + values.out.slice(before.length).replace('"err":', `"${format.errorName}":`);
    return;
  }
  const serialize = serializers !== undefined && hasOwn.call(serializers, name) ? serializers[name] : undefined;
  if (serialize === undefined) values.writeProperty(fields, name, false, 1);
  else values.writeProperty({ [name]: applySerializer(fields, name, serialize) }, name, false, 1, fields);
}
