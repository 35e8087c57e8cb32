const NONE: Readonly<Record<string, unknown>> = Object.freeze({});

/**
 * The annotations of a unit of work: one record, shared with all work nested in it.
 *
 * The record starts as a spread copy of the first fields, which V8 creates with their shape in one step. An object without
 * a prototype, or one filled property by property, would be in dictionary mode: ten times slower to create and to read.
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
      // An assignment to `__proto__` would replace the prototype instead of adding a field.
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
