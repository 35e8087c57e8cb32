// One pass over the characters of a string decides whether it must be escaped, and which patterns of credentials it can
// contain at all. An ordinary string needs no regular expression.

/** Must be escaped in JSON, or in a terminal: C0, quote, backslash, DEL. */
export const ESCAPED = 1;
export const COLON_OR_EQUALS = 2;
export const DIGIT = 4;
/** `J`, as in `eyJ`, with which every JWT begins. */
export const UPPER_J = 8;
export const UNDERSCORE = 16;
export const DASH = 32;
export const BLANK = 64;
/** `b` or `p`: the names of the authentication schemes Bearer, Basic and DPoP have one. */
export const B_OR_P = 128;
/** `A`, as in `AKIA` and `AIza`. */
export const UPPER_A = 256;
export const AT = 512;
/** `k`, `x` or `t`: API keys with a prefix and dashes have one, and a UUID has none. */
export const K_X_T = 1024;
export const DOT = 2048;
export const NON_ASCII = 4096;
export const LESS_THAN = 8192;

const table = new Uint16Array(128);
for (let code = 0; code < 32; code++) table[code] = ESCAPED | BLANK;
const mark = (characters: string, bits: number): void => {
  for (const character of characters) table[character.charCodeAt(0)]! |= bits;
};
mark('"\\\u007f', ESCAPED);
mark(':=', COLON_OR_EQUALS);
mark('0123456789', DIGIT);
mark('J', UPPER_J);
mark('_', UNDERSCORE);
mark('-', DASH);
mark(' ', BLANK);
mark('bBpP', B_OR_P);
mark('A', UPPER_A);
mark('@', AT);
mark('kKxXtT', K_X_T);
mark('.', DOT);
mark('<', LESS_THAN);

/** The bits of each ASCII character. */
export const classes: Uint16Array = table;
