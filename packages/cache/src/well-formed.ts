/** `String.prototype.isWellFormed`: in Node since version 20, and not in the `lib` of our compile target. */
interface WithWellFormed {
  isWellFormed(): boolean;
}

/** Whether UTF-8 can represent the text: every lone surrogate becomes the same replacement character there. */
export function isWellFormed(text: string): boolean {
  return (text as unknown as WithWellFormed).isWellFormed();
}
