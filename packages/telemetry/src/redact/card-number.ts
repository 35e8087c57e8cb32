/** Groups of digits, each separated from the next by a blank or a dash. */
const DIGIT_GROUPS = /\d(?:[ -]?\d)*/g;
const MIN_DIGITS = 13;
const MAX_DIGITS = 19;
/** Numbers are printed in up to five groups, of which the first has four digits or more. */
const MAX_GROUPS = 5;
const MIN_FIRST_GROUP_LENGTH = 4;

/**
 * Replaces payment card numbers: 13 to 19 digits, a first digit of a card, and a correct check digit (ISO/IEC 7812-1).
 * Other groups of digits may stand next to one, such as its expiry date.
 */
export function redactCardNumbers(text: string, censor: string): string {
  return text.replace(DIGIT_GROUPS, (match, offset: number) => {
    if (match.length < MIN_DIGITS) return match;
    // What is joined to other characters without a blank is the part of a name, such as an id.
    const from = /[\w.-]/.test(text[offset - 1] ?? '') ? match.indexOf(' ') + 1 || match.length : 0;
    const to = /^(?:[\w-]|\.\d)/.test(text.slice(offset + match.length, offset + match.length + 2))
      ? match.lastIndexOf(' ')
      : match.length;
    if (to - from < MIN_DIGITS) return match;
    return match.slice(0, from) + redactGroups(match.slice(from, to), censor) + match.slice(to);
  });
}

function redactGroups(text: string, censor: string): string {
  const groups = [...text.matchAll(/\d+/g)];
  let out = '';
  let done = 0;
  groups.forEach(({ index }, i) => {
    const end = endOfCard(groups, i);
    if (end <= done) return;
    // A number that begins inside of the one before extends it.
    if (index >= done) out += text.slice(done, index) + censor;
    done = end;
  });
  return out + text.slice(done);
}

/** Returns the end of the longest card number that begins with group `first`, or 0 if there is none. */
function endOfCard(groups: readonly RegExpExecArray[], first: number): number {
  let digits = '';
  let end = 0;
  for (const { 0: group, index } of groups.slice(first, first + MAX_GROUPS)) {
    digits += group;
    if (digits.length < MIN_FIRST_GROUP_LENGTH || digits.length > MAX_DIGITS) break;
    if (isCardNumber(digits)) end = index + group.length;
  }
  return end;
}

/** Whether digits are a card number: a first digit of 2 to 6, and Luhn's check. Timestamps in milliseconds begin with 1. */
function isCardNumber(digits: string): boolean {
  if (digits.length < MIN_DIGITS || digits.length > MAX_DIGITS || !/^[2-6]\d+$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const weighted = i % 2 === 0 ? digit : digit * 2;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}

/** The same for a number. Nearly all are ruled out without writing them as text. */
export function isCardValue(value: number): boolean {
  return value >= 2e12 && Number.isInteger(value) && isCardNumber(String(value));
}
