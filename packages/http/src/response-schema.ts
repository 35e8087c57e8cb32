import { HttpDecodeError } from './body-errors.ts';
import { JSON_TYPE, setData, subjectOf, type HttpResponse } from './response.ts';
import { describeMismatch, type StandardSchema } from './schema.ts';

/**
 * Puts what the schema makes of the body into `data`.
 *
 * @throws HttpDecodeError (`MAC_HTTP_DECODE`) when the body does not fit, or is not what it says it is.
 */
export async function applySchema(response: HttpResponse, schema: StandardSchema): Promise<void> {
  const result = await schema['~standard'].validate(response.data);
  if (result.issues !== undefined) {
    const detail = `${kindOf(response)}${describeMismatch(result.issues)}`;
    throw new HttpDecodeError(subjectOf(response), 'schema', response.status, detail, result.issues);
  }
  setData(response, result.value);
}

/** What came where JSON was due: the page of a proxy, say, of which the schema only knows that it does not fit. */
function kindOf(response: HttpResponse): string {
  if (response.bytes().length === 0) return 'is empty and ';
  const type = response.headers.get('content-type') ?? '';
  if (JSON_TYPE.test(type)) return '';
  const [name] = /^[\w.+-]{1,60}\/[\w.+-]{1,60}(?=\s*(?:;|$))/.exec(type.trim()) ?? ['not JSON'];
  return `is ${name} and `;
}
