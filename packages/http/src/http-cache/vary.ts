import { digest } from '../digest.ts';
import { isHeaderName } from '../headers.ts';
import { listMembers, requestField, responseField, type StoredFields } from './fields.ts';

/** The request headers a response was selected by, by lower-case name and normalized; null for one that was not sent. */
export type SelectingFields = Readonly<Record<string, string | null>>;

/**
 * The fields `Vary` names, in lower case; undefined when it says that anything may matter, or something that cannot be told
 * from a request: of what is no name of a field, such as two without a comma, nobody knows what was meant.
 */
export function varyFields(fields: Readonly<StoredFields>): string[] | undefined {
  const names = listMembers(responseField(fields, 'vary') ?? '').map((name) => name.toLowerCase());
  return names.every(canSelect) ? names : undefined;
}

/** No plain object, which is what a store is given, has a member of its own that is called `__proto__`. */
function canSelect(name: string): boolean {
  return name !== '*' && name !== '__proto__' && isHeaderName(name);
}

/** What a request says in the fields that `names` lists. */
export function selectingFields(names: readonly string[], headers: readonly string[]): SelectingFields {
  const selecting: Record<string, string | null> = {};
  for (const name of names) selecting[name] = spelling(name, requestField(headers, name));
  return selecting;
}

/** What a response was chosen by, and what it says it is. */
export interface Selected {
  readonly selecting: SelectingFields;
  readonly headers: Readonly<StoredFields>;
}

/** Whether a stored response may answer a request (RFC 9111, section 4.1). */
export function selects(stored: Selected, headers: readonly string[]): boolean {
  for (const name of Object.keys(stored.selecting)) {
    const presented = requestField(headers, name);
    if (stored.selecting[name] === spelling(name, presented)) continue;
    if (name !== 'accept-language' || presented === undefined || !isInPreferred(stored, presented)) return false;
  }
  return true;
}

/** Whether a response is in the one language that `Accept-Language` prefers to all others (RFC 9110, section 12.5.4). */
function isInPreferred({ headers }: Selected, accepted: string): boolean {
  const language = responseField(headers, 'content-language')?.trim().toLowerCase();
  let best = 0;
  let preferred: string[] = [];
  for (const member of listMembers(accepted.toLowerCase())) {
    const [, tag = '', weight = '1'] = /^([a-z\d-]+|\*)\s*(?:;\s*q\s*=\s*(\d(?:\.\d{0,3})?)\s*)?$/.exec(member) ?? [];
    if (tag === '') return false;
    if (Number(weight) > best) preferred = [];
    best = Math.max(best, Number(weight));
    if (Number(weight) === best) preferred.push(tag);
  }
  return best > 0 && preferred.length === 1 && preferred[0] === language;
}

/** A value as it is kept: what says more than what somebody accepts can be a credential, and becomes a digest. */
function spelling(name: string, value: string | undefined): string | null {
  if (value === undefined) return null;
  const text = normalised(name, value);
  return name.startsWith('accept') ? text : digest(text);
}

/** Spellings with the same meaning become one: white space around commas, and the order and case of languages. */
function normalised(name: string, value: string): string {
  const members = listMembers(value);
  if (name !== 'accept-language') return members.join(',');
  // Weights, not places in the list, say which language is preferred (RFC 9110, section 12.5.4).
  return members
    .map((language) => language.toLowerCase().replace(/\s+/g, ''))
    .sort()
    .join(',');
}
