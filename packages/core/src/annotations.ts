const NONE: Readonly<Record<string, unknown>> = Object.freeze({});

/**
 * What a unit of work has to tell of itself: one record, shared by the works nested in it.
 *
 * It begins as a copy of the first fields, which the engine makes from their shape in one go; an object without a
 * prototype, or one filled name by name, would be a dictionary, and ten times slower to make and to read.
 */
export class Annotations {
  record: Readonly<Record<string, unknown>> = NONE;

  add(fields: Readonly<Record<string, unknown>>): void {
    if (this.record === NONE) {
      this.record = { ...fields };
      return;
    }
    const record = this.record as Record<string, unknown>;
    for (const name of Object.keys(fields)) {
      // A field of this name is a field like any other, and no prototype.
      if (name !== '__proto__') record[name] = fields[name];
      else
        Object.defineProperty(record, name, {
          value: fields[name],
          writable: true,
          enumerable: true,
          configurable: true,
        });
    }
  }
}
