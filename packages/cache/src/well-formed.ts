/** In Node since version 20, and not yet in the compiler's library for our target. */
interface WithWellFormed {
  isWellFormed(): boolean;
}

/** Whether UTF-8 can hold the text: half of a surrogate pair becomes the same as any other half. */
export function isWellFormed(text: string): boolean {
  return (text as unknown as WithWellFormed).isWellFormed();
}
