import { createHash } from 'node:crypto';

/** What is compared in place of a value that must not be kept. */
export function digest(value: string): string {
  return createHash('sha256').update(value).digest('base64url');
}
