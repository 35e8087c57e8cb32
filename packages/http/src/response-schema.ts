import { HttpDecodeError, type ErrorSubject } from './errors.ts';
import { setData, type HttpResponse } from './response.ts';
import { issuePath, type StandardSchema } from './schema.ts';

/**
 * Puts what the schema makes of the body into `data`.
 *
 * @throws HttpDecodeError (`MAC_HTTP_DECODE`) when the body does not fit, or is not what it says it is.
 */
export async function applySchema(
  subject: ErrorSubject,
  response: HttpResponse,
  schema: StandardSchema,
): Promise<void> {
  const result = await schema['~standard'].validate(response.data);
  if (result.issues !== undefined) {
    const where = result.issues.map(issuePath).filter((path) => path !== '');
    const at = where.length === 0 ? '' : ` at ${where.slice(0, 3).join(', ')}`;
    throw new HttpDecodeError(subject, 'schema', response.status, `does not fit the schema${at}`, result.issues);
  }
  setData(response, result.value);
}
