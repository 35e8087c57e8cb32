import { OptionsError } from '@macadam/core';
import { type FieldParameters, parseStrictItem, serializeItem } from './structured-fields.ts';

/** A component of a message, by its component identifier (RFC 9421 section 2). */
export interface Component {
  /** A field name in lower case, or a derived component with its `@`. */
  readonly name: string;
  readonly parameters: FieldParameters;
  /** The serialized component identifier: part of the signature base. */
  readonly identifier: string;
  /** The identifier with sorted parameters: equal for two identifiers of the same component. */
  readonly normalizedIdentifier: string;
}

/** Derived components, with the parameters that each may have. */
const DERIVED_COMPONENTS: Readonly<Record<string, readonly string[]>> = {
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
const FIELD_PARAMETERS = ['sf', 'key', 'bs', 'req', 'tr'];
const STRING_PARAMETERS = ['key', 'name'];
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** Validates a component identifier; `undefined` for an unknown one, or a contradictory combination of parameters. */
export function parseComponent(name: unknown, parameters: FieldParameters): Component | undefined {
  if (typeof name !== 'string') return undefined;
  const allowed = name.startsWith('@') ? derivedParameters(name) : FIELD_NAME.test(name) ? FIELD_PARAMETERS : undefined;
  if (allowed === undefined) return undefined;
  for (const [parameter, value] of parameters) {
    if (!allowed.includes(parameter)) return undefined;
    if (STRING_PARAMETERS.includes(parameter) ? typeof value !== 'string' : value !== true) return undefined;
  }
  if (parameters.has('bs') && (parameters.has('sf') || parameters.has('key'))) return undefined;
  if (name === '@query-param' && !parameters.has('name')) return undefined;
  // The pattern of names admits no character that would have to be escaped.
  const identifier = parameters.size === 0 ? `"${name}"` : serializeItem([name, parameters]);
  if (parameters.size < 2) return { name, parameters, identifier, normalizedIdentifier: identifier };
  const sorted = new Map([...parameters].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { name, parameters, identifier, normalizedIdentifier: serializeItem([name, sorted]) };
}

function derivedParameters(name: string): readonly string[] | undefined {
  return Object.hasOwn(DERIVED_COMPONENTS, name) ? DERIVED_COMPONENTS[name] : undefined;
}

/**
 * Parses component identifiers of an option: `@method`, `content-digest`, `@query-param;name="id"`, `cache-control;bs`.
 * @throws OptionsError
 */
export function componentsFromOption(path: string, names: readonly string[]): readonly Component[] {
  if (!Array.isArray(names)) throw new OptionsError(path, names, 'a list of components');
  const components = names.map((name: unknown, index) => {
    const item =
      typeof name === 'string'
        ? parseStrictItem(name.startsWith('"') ? name : name.replace(/^[^;]*/, '"$&"'))
        : undefined;
    const component = item && parseComponent(item[0], item[1]);
    if (component === undefined) {
      throw new OptionsError(
        `${path}[${index}]`,
        name,
        'a field in lower case or a derived component, with its parameters',
      );
    }
    return component;
  });
  if (!areDistinct(components)) throw new OptionsError(path, names, 'a list without duplicates');
  return components;
}

export function areDistinct(components: readonly Component[]): boolean {
  return new Set(components.map(({ normalizedIdentifier }) => normalizedIdentifier)).size === components.length;
}

/** The components that are signed and required by default: they identify the message and its content. */
export function defaultComponents(isResponse: boolean, hasContent: boolean): readonly Component[] {
  return DEFAULTS[isResponse ? 1 : 0][hasContent ? 1 : 0];
}

const DEFAULTS = [['@method', '@target-uri'], ['@status']].map((names) => [
  componentsFromOption('components', names),
  componentsFromOption('components', [...names, 'content-digest']),
]) as [[Components, Components], [Components, Components]];

type Components = readonly Component[];
