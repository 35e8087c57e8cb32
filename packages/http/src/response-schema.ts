import { HttpDecodeError, type ErrorSubject } from './errors.ts';
import { setData, type HttpResponse } from './response.ts';
import { misfit, type StandardSchema } from './schema.ts';

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
    throw new HttpDecodeError(subject, 'schema', response.status, misfit(result.issues), result.issues);
  }
  setData(response, result.value);
}
