/**
 * The part of the Standard Schema interface (standardschema.dev, version 1) that is needed here. Zod, Valibot, ArkType
 * and others implement it.
 */
export interface StandardSchema<T = unknown> {
  /** The properties that the standard defines. */
  readonly '~standard': {
    /** Version of the standard. */
    readonly version: 1;
    /** Name of the schema library. */
    readonly vendor: string;
    /** Validates a value. */
    readonly validate: (value: unknown) => Promise<SchemaResult<T>> | SchemaResult<T>;
  };
}

/** What `validate` of a Standard Schema returns. */
export type SchemaResult<T> =
  { readonly issues: readonly unknown[] } | { readonly issues?: undefined; readonly value: T };

/**
 * Whether the schema accepts the value. The transformed value is ignored, since values in memory did not pass through
 * the schema either.
 */
export function isValid(value: unknown, schema: StandardSchema): Promise<boolean> | boolean {
  try {
    const result = schema['~standard'].validate(value);
    if (!('then' in result)) return result.issues === undefined;
    // Some libraries return other thenables, or results that do not follow the standard.
    return Promise.resolve(result)
      .then(({ issues }) => issues === undefined)
      .catch(() => false);
  } catch {
    return false;
  }
}
