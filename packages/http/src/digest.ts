import { hash } from 'node:crypto';

/** What is compared in place of a value that must not be kept. */
export function digest(value: string): string {
  return hash('sha256', value, 'base64url');
}
