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
 * Whether the value is what the schema asks for. Only the answer counts: what a schema would make of the value is not taken, since
 * the same value in memory was not put through it either.
 */
export function fits(value: unknown, schema: StandardSchema): Promise<boolean> | boolean {
  try {
    const result = schema['~standard'].validate(value);
    if (!('then' in result)) return result.issues === undefined;
    // Not every library promises with the language's own promises, nor answers as it should.
    return Promise.resolve(result)
      .then(({ issues }) => issues === undefined)
      .catch(() => false);
  } catch {
    return false;
  }
}
