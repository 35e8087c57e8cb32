/** Selecting header fields: which stored response `Vary` selects for a request (RFC 9111, section 4.1). */
import { digest } from '../digest.ts';
import { isHeaderName } from '../headers.ts';
import { listMembers, requestField, responseField, type StoredFields } from './fields.ts';

/** The request headers a response was selected by, by lower-case name and normalized; null for one that was not sent. */
export type SelectingFields = Readonly<Record<string, string | null>>;

/**
 * The field names in `Vary`, in lower case. Undefined when no later request can match: for `*`, and for a member that is not
 * a field name, such as two names without a comma.
 */
export function varyFields(fields: Readonly<StoredFields>): string[] | undefined {
  const names = listMembers(responseField(fields, 'vary') ?? '').map((name) => name.toLowerCase());
  return names.every(isSelectingField) ? names : undefined;
}

function isSelectingField(name: string): boolean {
  // Assigning `__proto__` to a plain object, which is what a store is given, adds no property.
  return name !== '*' && name !== '__proto__' && isHeaderName(name);
}

/** The values of a request for the field names in `Vary`. */
export function selectingFields(names: readonly string[], headers: readonly string[]): SelectingFields {
  const selecting: Record<string, string | null> = {};
  for (const name of names) selecting[name] = comparableValue(name, requestField(headers, name));
  return selecting;
}

/** The part of a stored response that matching looks at. */
export interface SelectableResponse {
  readonly selecting: SelectingFields;
  readonly headers: Readonly<StoredFields>;
}

/** Whether the selecting header fields of a request match those of a stored response. */
export function matchesSelectingFields(stored: SelectableResponse, headers: readonly string[]): boolean {
  for (const name of Object.keys(stored.selecting)) {
    const presented = requestField(headers, name);
    if (stored.selecting[name] === comparableValue(name, presented)) continue;
    if (name !== 'accept-language' || presented === undefined || !isInPreferredLanguage(stored, presented)) {
      return false;
    }
  }
  return true;
}

/** Whether a response is in the one language that `Accept-Language` prefers to all others (RFC 9110, section 12.5.4). */
function isInPreferredLanguage({ headers }: SelectableResponse, acceptLanguage: string): boolean {
  const language = responseField(headers, 'content-language')?.trim().toLowerCase();
  let best = 0;
  let preferred: string[] = [];
  for (const member of listMembers(acceptLanguage.toLowerCase())) {
    const [, tag = '', weight = '1'] = /^([a-z\d-]+|\*)\s*(?:;\s*q\s*=\s*(\d(?:\.\d{0,3})?)\s*)?$/.exec(member) ?? [];
    if (tag === '') return false;
    if (Number(weight) > best) preferred = [];
    best = Math.max(best, Number(weight));
    if (Number(weight) === best) preferred.push(tag);
  }
  return best > 0 && preferred.length === 1 && preferred[0] === language;
}

/** A value as it is stored and compared. Any field but `Accept` and its kind may hold a credential, and becomes a digest. */
function comparableValue(name: string, value: string | undefined): string | null {
  if (value === undefined) return null;
  const normalized = normalizedValue(name, value);
  return name.startsWith('accept') ? normalized : digest(normalized);
}

/** Removes differences without meaning: white space around commas, and the order and letter case of languages. */
function normalizedValue(name: string, value: string): string {
  const members = listMembers(value);
  if (name !== 'accept-language') return members.join(',');
  // Weights express the preference, not the order of the list (RFC 9110, section 12.5.4).
  return members
    .map((language) => language.toLowerCase().replace(/\s+/g, ''))
    .sort()
    .join(',');
}
