import { hash } from 'node:crypto';

/** A digest for comparing values that must not be kept, such as credentials. */
export function digest(value: string): string {
  return hash('sha256', value, 'base64url');
}
