import { createHash } from 'node:crypto';

/** What is compared with in place of a value that must not lie in a store. */
export function digest(value: string): string {
  return createHash('sha256').update(value).digest('base64url');
}
