import type { SchemaIssue } from './schema.ts';

/** The issues a schema reported, by the error made of them. Kept outside the error, since a field would be printed. */
const issues = new WeakMap<object, readonly SchemaIssue[]>();

export function setIssues(error: object, found: readonly SchemaIssue[]): void {
  if (found.length > 0) issues.set(error, found);
}

export function issuesOf(error: object): readonly SchemaIssue[] {
  return issues.get(error) ?? [];
}
