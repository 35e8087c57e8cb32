const NOTHING: object = {};

/** The objects around the value that is being written, by depth: one that is among them contains itself. */
export class Ancestors {
  readonly #objects: object[] = [];
  #deepest = 0;

  /** Starts with what stands at the top, which must not contain itself. */
  enter(top: object): void {
    this.#objects[0] = top;
    this.#deepest = 1;
  }

  /** Whether the value contains itself; else it is remembered for its descendants. */
  includes(value: object, depth: number): boolean {
    for (let i = 0; i < depth; i++) if (this.#objects[i] === value) return true;
    this.#objects[depth] = value;
    if (depth >= this.#deepest) this.#deepest = depth + 1;
    return false;
  }

  /** Lets go of all. */
  release(): void {
    for (let i = 0; i < this.#deepest; i++) this.#objects[i] = NOTHING;
    this.#deepest = 0;
  }
}
