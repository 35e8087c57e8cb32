// The parts of an answer that are read before, or beside, the library that knows the protocol.
import type { JsonObject } from '../jwt/strict-json.ts';

/** The same answer without some members of its JSON object, and these. Anything else is left for the library to judge. */
export async function without(
  response: Response,
  names: readonly string[],
): Promise<{ rest: Response; taken: JsonObject }> {
  const text = await response.clone().text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { rest: response, taken: {} };
  }
  if (typeof json !== 'object' || json === null) return { rest: response, taken: {} };
  const all = Object.entries(json);
  const { status, headers } = response;
  return {
    rest: new Response(JSON.stringify(Object.fromEntries(all.filter(([name]) => !names.includes(name)))), {
      status,
      headers,
    }),
    taken: Object.fromEntries(all.filter(([name]) => names.includes(name))),
  };
}
