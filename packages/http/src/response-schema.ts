import { HttpDecodeError } from './body-errors.ts';
import { completeError } from './errors.ts';
import { JSON_TYPE, setData, subjectOf, type HttpResponse } from './response.ts';
import { describeMismatch, type StandardSchema } from './schema.ts';

/**
 * Validates the body and replaces `data` by the output of the schema.
 *
 * @throws HttpDecodeError (`MAC_HTTP_DECODE`) if the body does not match the schema, or its content type
 */
export async function applySchema(response: HttpResponse, schema: StandardSchema): Promise<void> {
  const result = await schema['~standard'].validate(response.data);
  if (result.issues !== undefined) {
    const detail = `${describeUnexpectedBody(response)}${describeMismatch(result.issues)}`;
    const error = new HttpDecodeError(subjectOf(response), 'schema', response.status, detail, result.issues);
    throw completeError(error, response.attempts, 'notRetryable');
  }
  setData(response, result.value);
}

/** Describes a body that is not JSON, such as the HTML page of a proxy, since the schema only reports a mismatch. */
function describeUnexpectedBody(response: HttpResponse): string {
  if (response.bytes().length === 0) return 'is empty and ';
  const type = response.headers.get('content-type') ?? '';
  if (JSON_TYPE.test(type)) return '';
  const [name] = /^[\w.+-]{1,60}\/[\w.+-]{1,60}(?=\s*(?:;|$))/.exec(type.trim()) ?? ['not JSON'];
  return `is ${name} and `;
}
