import { listMembers, requestField, responseField, type StoredFields } from './fields.ts';

/** The request fields a response was chosen by, normalised; null for one that was not sent. */
export type SelectingFields = Readonly<Record<string, string | null>>;

/** The fields `Vary` names, in lower case; undefined when it says that anything may matter. */
export function varyFields(fields: Readonly<StoredFields>): string[] | undefined {
  const names = listMembers(responseField(fields, 'vary') ?? '').map((name) => name.toLowerCase());
  return names.includes('*') ? undefined : names;
}

/** What a request says in the fields that `names` lists. */
export function selectingFields(names: readonly string[], headers: readonly string[]): SelectingFields {
  const selecting: Record<string, string | null> = {};
  for (const name of names) selecting[name] = normalised(name, requestField(headers, name));
  return selecting;
}

/** Whether a response chosen by `selecting` may answer a request (RFC 9111, section 4.1). */
export function selects(selecting: SelectingFields, headers: readonly string[]): boolean {
  for (const name of Object.keys(selecting)) {
    if (selecting[name] !== normalised(name, requestField(headers, name))) return false;
  }
  return true;
}

/** Spellings with the same meaning become one: white space around commas, and the order and case of languages. */
function normalised(name: string, value: string | undefined): string | null {
  if (value === undefined) return null;
  const members = listMembers(value);
  if (name !== 'accept-language') return members.join(',');
  // Weights, not places in the list, say which language is preferred (RFC 9110, section 12.5.4).
  return members
    .map((language) => language.toLowerCase().replace(/\s+/g, ''))
    .sort()
    .join(',');
}
