const CANDIDATE = /(?<![\w.-])[2-6]\d{3}(?:[ -]?\d{1,4}){2,5}(?![\w-]|\.\d)/g;

/** Replaces payment card numbers: 13 to 19 digits, a first digit of a card, and a correct check digit (ISO/IEC 7812-1). */
export function redactCardNumbers(text: string, censor: string): string {
  return text.replace(CANDIDATE, (match) => (isCardNumber(match.replaceAll(/[ -]/g, '')) ? censor : match));
}

/** Whether digits are a card number: a first digit of 2 to 6, and Luhn's check. Timestamps in milliseconds begin with 1. */
export function isCardNumber(digits: string): boolean {
  if (digits.length < 13 || digits.length > 19 || !/^[2-6]\d+$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const weighted = i % 2 === 0 ? digit : digit * 2;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}
