// Takes members out of a token response that must not be validated by the OAuth library.
import type { JsonObject } from '../jwt/strict-json.ts';

/**
 * Returns the response without the named members of its JSON object, and these members. A response that is not a JSON
 * object is returned unchanged, for the library to reject.
 */
export async function extractMembers(
  response: Response,
  names: readonly string[],
): Promise<{ rest: Response; extracted: JsonObject }> {
  const text = await response.clone().text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { rest: response, extracted: {} };
  }
  if (typeof json !== 'object' || json === null) return { rest: response, extracted: {} };
  const members = Object.entries(json);
  const { status, headers } = response;
  return {
    rest: new Response(JSON.stringify(Object.fromEntries(members.filter(([name]) => !names.includes(name)))), {
      status,
      headers,
    }),
    extracted: Object.fromEntries(members.filter(([name]) => names.includes(name))),
  };
}
