export { TokenError } from './errors.ts';
export type { TokenErrorDetails, TokenReason } from './errors.ts';
