import { OptionsError, withheld } from '@macadam/core';

/**
 * A schema of any library that implements Standard Schema (standardschema.dev, version 1): zod, valibot, arktype and others. This is
 * the part of that interface that is used here.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The properties of Standard Schema, as the library provides them. */
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The result of a validation: the output value, or the issues found. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

/** An issue that a schema found in a value. */
export interface SchemaIssue {
  /** The message of the library, which may contain the offending value. */
  readonly message: string;
  /** The path to the value, from the root. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The output type of a schema. */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output'];

/** Throws {@link OptionsError} unless `value` is a Standard Schema. */
export function assertSchema(path: string, value: unknown): void {
  const schema = value as Partial<StandardSchema> | null;
  if (typeof schema?.['~standard']?.validate !== 'function') {
    throw new OptionsError(path, withheld(value), 'a Standard Schema, such as those of zod, valibot and arktype');
  }
}

const MAX_PATHS = 10;
const MAX_PATHS_IN_MESSAGE = 3;

/** The paths of the first ten issues, for the error. */
export function issuePaths(issues: readonly SchemaIssue[]): string[] {
  return issues.slice(0, MAX_PATHS).map(issuePath);
}

/** Says that a value does not match the schema, and where. It does not contain the value, which may be confidential. */
export function describeMismatch(issues: readonly SchemaIssue[]): string {
  const paths = issues.map(issuePath).filter((path) => path !== '');
  return `does not fit the schema${paths.length === 0 ? '' : ` at ${paths.slice(0, MAX_PATHS_IN_MESSAGE).join(', ')}`}`;
}

/** The path of an issue, such as `items.0.price`; an empty string for the whole value. */
function issuePath(issue: SchemaIssue): string {
  if (issue.path === undefined) return '';
  return issue.path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
}
