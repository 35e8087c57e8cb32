import { assertInteger, assertKnownOptions, assertObject } from '@macadam/core';
import type { StandardSchema, SchemaOutput } from '../schema.ts';
import { assertSchema, describeMismatch } from '../schema.ts';
import { assertByteSource, DEFAULT_MAX_LINE_BYTES, linesOf, type ByteSource } from './lines.ts';
import { HttpStreamError } from './stream-error.ts';

/** Options of {@link jsonLines}. */
export interface JsonLinesOptions<Schema extends StandardSchema | undefined = StandardSchema | undefined> {
  /** Validates and types each value: any Standard Schema. Default: none; values are `unknown`. */
  schema?: Schema;
  /** Maximum length of a line in bytes, at least 1. Default: 1 048 576 (1 MiB). */
  maxLineBytes?: number;
}

/**
 * Parses a stream of JSON values, one per line (JSON Lines, NDJSON). Empty lines are skipped.
 *
 * @param body - the body of `stream()`, or any async iterable of bytes or text
 * @throws HttpStreamError (`MAC_HTTP_STREAM`) for a line that is not JSON, does not match the schema or is too long.
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong argument. Both are thrown by the first `next()` concerned.
 * @example
 * ```ts
 * import { Readable } from 'node:stream';
 * import { jsonLines } from '@macadam/http';
 *
 * for await (const row of jsonLines(Readable.from(['{"id":1}\n', '{"id":2}\n']))) console.log(row);
 * ```
 */
export async function* jsonLines<Schema extends StandardSchema | undefined = undefined>(
  body: ByteSource,
  options: JsonLinesOptions<Schema> = {},
): AsyncGenerator<Schema extends StandardSchema ? SchemaOutput<Schema> : unknown, void, undefined> {
  assertObject('jsonLines', options);
  assertKnownOptions('jsonLines', options, ['schema', 'maxLineBytes']);
  const { schema, maxLineBytes = DEFAULT_MAX_LINE_BYTES } = options;
  assertInteger('jsonLines.maxLineBytes', maxLineBytes, { min: 1 });
  if (schema !== undefined) assertSchema('jsonLines.schema', schema);
  assertByteSource('jsonLines.body', body);
  for await (const { text, number } of linesOf(body, maxLineBytes)) {
    if (text.trim() === '') continue;
    yield (await valueOf(text, number, schema)) as never;
  }
}

async function valueOf(text: string, line: number, schema: StandardSchema | undefined): Promise<unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without the cause, whose message quotes the text.
    throw new HttpStreamError('json', line, 'is not JSON');
  }
  if (schema === undefined) return value;
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  throw new HttpStreamError('schema', line, describeMismatch(result.issues), result.issues);
}
