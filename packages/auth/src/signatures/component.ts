import { OptionsError } from '@macadam/core';
import { type FieldParameters, readItem, writeItem } from './structured-fields.ts';

/** Part of a message that a signature covers (RFC 9421 section 2). */
export interface Component {
  /** A field in lower case, or a derived component with its at sign. */
  readonly name: string;
  readonly parameters: FieldParameters;
  /** As it is written, which is part of what is signed. */
  readonly text: string;
  /** The same for two that name the same part, in whatever order they have their parameters. */
  readonly identity: string;
}

/** Derived components, and the parameters that each may have. */
const DERIVED: Readonly<Record<string, readonly string[]>> = {
  '@method': ['req'],
  '@target-uri': ['req'],
  '@authority': ['req'],
  '@scheme': ['req'],
  '@request-target': ['req'],
  '@path': ['req'],
  '@query': ['req'],
  '@query-param': ['name', 'req'],
  '@status': [],
};
const OF_FIELDS = ['sf', 'key', 'bs', 'req', 'tr'];
const WITH_TEXT = ['key', 'name'];
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** A component as a received signature names it; `undefined` for one that is unknown or contradicts itself. */
export function readComponent(name: unknown, parameters: FieldParameters): Component | undefined {
  if (typeof name !== 'string') return undefined;
  const allowed = name.startsWith('@') ? derived(name) : FIELD_NAME.test(name) ? OF_FIELDS : undefined;
  if (allowed === undefined) return undefined;
  for (const [parameter, value] of parameters) {
    if (!allowed.includes(parameter)) return undefined;
    if (WITH_TEXT.includes(parameter) ? typeof value !== 'string' : value !== true) return undefined;
  }
  if (parameters.has('bs') && (parameters.has('sf') || parameters.has('key'))) return undefined;
  if (name === '@query-param' && !parameters.has('name')) return undefined;
  // Neither names of fields nor of derived components need escapes.
  const text = parameters.size === 0 ? `"${name}"` : writeItem([name, parameters]);
  if (parameters.size < 2) return { name, parameters, text, identity: text };
  const ordered = new Map([...parameters].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { name, parameters, text, identity: writeItem([name, ordered]) };
}

function derived(name: string): readonly string[] | undefined {
  return Object.hasOwn(DERIVED, name) ? DERIVED[name] : undefined;
}

/**
 * Components as options name them: `@method`, `content-digest`, `@query-param;name="id"`, `cache-control;bs`.
 * @throws OptionsError
 */
export function namedComponents(path: string, names: readonly string[]): readonly Component[] {
  if (!Array.isArray(names)) throw new OptionsError(path, names, 'a list of components');
  const components = names.map((name: unknown, at) => {
    const item =
      typeof name === 'string' ? readItem(name.startsWith('"') ? name : name.replace(/^[^;]*/, '"$&"')) : undefined;
    const component = item && readComponent(item[0], item[1]);
    if (component === undefined) {
      throw new OptionsError(
        `${path}[${at}]`,
        name,
        'a field in lower case or a derived component, with its parameters',
      );
    }
    return component;
  });
  if (!areDistinct(components)) throw new OptionsError(path, names, 'a list in which each component is named once');
  return components;
}

export function areDistinct(components: readonly Component[]): boolean {
  return new Set(components.map(({ identity }) => identity)).size === components.length;
}

/** What is signed, and demanded, where nothing else is said: enough to tell one message from another. */
export function defaultComponents(response: boolean, content: boolean): readonly Component[] {
  return DEFAULTS[response ? 1 : 0][content ? 1 : 0];
}

const DEFAULTS = [['@method', '@target-uri'], ['@status']].map((names) => [
  namedComponents('components', names),
  namedComponents('components', [...names, 'content-digest']),
]) as [[Components, Components], [Components, Components]];

type Components = readonly Component[];
