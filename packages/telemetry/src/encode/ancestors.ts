const NOTHING: object = {};

/** The objects that contain the value being written, by depth. Detects objects that contain themselves. */
export class Ancestors {
  readonly #objects: object[] = [];
  #length = 0;

  /** Starts with the object at the top of the line. */
  start(top: object): void {
    this.#objects[0] = top;
    this.#length = 1;
  }

  /** Records `value` as the object at `depth`; returns false if it is already above, that is, if it contains itself. */
  enter(value: object, depth: number): boolean {
    for (let i = 0; i < depth; i++) if (this.#objects[i] === value) return false;
    this.#objects[depth] = value;
    if (depth >= this.#length) this.#length = depth + 1;
    return true;
  }

  /** Drops all references, so that nothing outlives the line. */
  release(): void {
    for (let i = 0; i < this.#length; i++) this.#objects[i] = NOTHING;
    this.#length = 0;
  }
}
