import { createHmac } from 'node:crypto';
import { isSpanContextValid, trace } from '@opentelemetry/api';
import type { LineLimits } from './encode/limits.ts';
import { PropertyNames } from './encode/property-names.ts';
import { TextWriter } from './encode/text-writer.ts';
import { ValueWriter } from './encode/value-writer.ts';
import { formatText } from './format-text.ts';
import { type LineFormat, SHADOWED } from './line-format.ts';
import type { Bindings, Line } from './line.ts';
import { lineTotals } from './line-totals.ts';
import type { RedactOptions, Serializers } from './options.ts';
import { KeyRules } from './redact/key-rules.ts';
import { TextRules } from './redact/text-rules.ts';
import type { Pii } from './sensitive.ts';

const hasOwn = Object.prototype.hasOwnProperty;

/** What the fields of a call say about the rest of its line. */
interface Taken {
  message: string | undefined;
  /** Names that bindings have as well. */
  bound: Set<string> | undefined;
  /** JSON of the fields whose names are ours. */
  shadowed: string;
}

/** Makes lines: one for each call, valid JSON, names unique, within the limits, whatever it is given. */
export class LineWriter {
  /** Strings, lists and objects that were cut. */
  cut = 0;
  readonly #format: LineFormat;
  readonly #values: ValueWriter;
  readonly #limits: LineLimits;
  #busy = false;
  readonly #again: () => LineWriter;

  constructor(format: LineFormat, limits: LineLimits, redact: RedactOptions) {
    this.#format = format;
    this.#limits = limits;
    const keys = new KeyRules(redact.keys, redact.allow);
    const longest = Math.min(limits.stringBytes, limits.lineBytes >> 3);
    const text = new TextWriter(longest, new TextRules(keys, redact.keys, redact.patterns));
    const names = new PropertyNames(keys, text, format.reserved);
    this.#values = new ValueWriter(limits, text, names, piiWriter(redact), format.errorNames);
    this.#again = () => new LineWriter(format, limits, redact);
  }

  /** Never throws. Ends with a line feed. */
  line(line: Line): string {
    // A getter or a toJSON may log; what it logs must not be mixed into the line being made.
    if (this.#busy) return this.#again().line(line);
    this.#busy = true;
    try {
      return this.#line(line);
    } catch {
      return `${this.#head(line)},"msg":"[this line could not be written]"}\n`;
    } finally {
      this.cut += this.#values.text.cuts;
      lineTotals.cut += this.#values.text.cuts;
      this.#values.text.cuts = 0;
      this.#values.release();
      this.#busy = false;
    }
  }

  /** The bindings of `parent` and `fields`; of two with one name the later counts. */
  bind(parent: Bindings, fields: object, serializers: Serializers | undefined): Bindings {
    if (this.#busy) return this.#again().bind(parent, fields, serializers);
    this.#busy = true;
    const values = this.#values;
    const added: { name: string; json: string }[] = [];
    try {
      values.reset(this.#limits.lineBytes >> 2);
      values.enter(fields);
      for (const name in fields) {
        if (!hasOwn.call(fields, name) || !values.hasRoom()) continue;
        const start = values.out;
        this.#field(fields, name, false, serializers);
        if (this.#format.reserved.has(name) || values.out === start) values.out = start;
        else added.push({ name, json: values.out.slice(start.length) });
      }
    } catch {
      // A Proxy that does not let its names be read binds nothing.
    } finally {
      values.release();
      this.#busy = false;
    }
    if (added.length === 0) return parent;
    const names = new Set(added.map(({ name }) => name));
    const entries = [...parent.entries.filter(({ name }) => !names.has(name)), ...added];
    return bindingsOf(entries);
  }

  #line(line: Line): string {
    const values = this.#values;
    const head = this.#head(line);
    const { limit } = values.text;
    values.reset(this.#limits.lineBytes - head.length - line.bindings.bytes - 3 * limit - 512);
    let message = line.message;
    let { bindings } = line;
    let shadowed = '';
    if (line.fields !== undefined) {
      const taken: Taken = { message: undefined, bound: undefined, shadowed: '' };
      if (line.lead !== undefined) this.#fields(line, line.lead, undefined, taken);
      this.#fields(line, line.fields, line.lead, taken);
      message ??= taken.message ?? values.errorMessage;
      if (taken.bound !== undefined) bindings = withoutNames(bindings, taken.bound);
      if (taken.shadowed !== '') shadowed = `,"${SHADOWED}":{${taken.shadowed}}`;
    }
    const { open, close } = this.#format;
    let own = bindings.json + values.out + shadowed;
    if (open !== '') own = `${open}${own.slice(1)}${close}`;
    const written = head + own;
    return `${written}${this.#trace(line)}${this.#message(message, line.args)}}\n`;
  }

  #head(line: Line): string {
    const { heads, time, base } = this.#format;
    return `${heads[line.level]}${time(line.time)}${base}`;
  }

  /** Writes the fields, and sets apart those whose names are ours. */
  #fields(line: Line, fields: object, lead: object | undefined, taken: Taken): void {
    const values = this.#values;
    values.enter(fields);
    const bound = line.bindings.names;
    let count = 0;
    const start = values.out;
    try {
      for (const name in fields) {
        if (!hasOwn.call(fields, name) || (lead !== undefined && hasOwn.call(lead, name))) continue;
        if (count++ >= this.#limits.items || !values.hasRoom()) {
          values.out += ',"[…]":';
          values.cut('more');
          break;
        }
        const known = values.names.get(name);
        if (known.reserved) {
          this.#shadow(line, fields, name, taken);
          continue;
        }
        if (bound.size > 0 && bound.has(name)) (taken.bound ??= new Set()).add(name);
        if (name !== 'err' && line.serializers === undefined) values.property(fields, name, false, 1, known);
        else this.#field(fields, name, false, line.serializers);
      }
    } catch {
      values.out = `${start},"[…]":"[threw]"`;
    }
  }

  /** A field under a name of ours: `msg` is the message when there is no other; the rest goes below `shadowed`. */
  #shadow(line: Line, fields: object, name: string, taken: Taken): void {
    const values = this.#values;
    const before = values.out;
    values.out = '';
    this.#field(fields, name, true, line.serializers);
    const json = values.out;
    values.out = before;
    if (json === '') return;
    const isMessage = this.#format.message === `,"${name}":` && line.message === undefined;
    const start = `"${name}":"`;
    if (isMessage && json.startsWith(start)) taken.message = JSON.parse(json.slice(start.length - 1)) as string;
    else taken.shadowed += taken.shadowed === '' ? json : `,${json}`;
  }

  #field(fields: object, name: string, first: boolean, serializers: Serializers | undefined): void {
    const values = this.#values;
    if (name === 'err' && this.#format.errorName !== 'err') {
      const mark = values.out;
      values.out = '';
      values.property(fields, name, true, 1);
      const json = values.out.replace('"err":', `"${this.#format.errorName}":`);
      values.out = json === '' ? mark : `${mark}${first ? '' : ','}${json}`;
      return;
    }
    const serialize = serializers !== undefined && hasOwn.call(serializers, name) ? serializers[name] : undefined;
    if (serialize === undefined) values.property(fields, name, first, 1);
    else values.property({ [name]: serialized(fields, name, serialize) }, name, first, 1);
  }

  #message(message: unknown, args: readonly unknown[]): string {
    if (message === undefined) return '';
    let text = typeof message === 'string' ? message : String(message);
    if (args.length > 0 && text.includes('%')) text = formatText(text, args, (value) => this.#json(value));
    return `${this.#format.message}${this.#values.text.quote(text)}`;
  }

  /** For `%o` and `%j`, after the fields were taken from `out`. */
  #json(value: unknown): string {
    const values = this.#values;
    values.reset(values.text.limit);
    values.value(value, 0);
    return values.out;
  }

  #trace(line: Line): string {
    const span = trace.getActiveSpan()?.spanContext();
    const sampled = line.sampleRate === undefined ? '' : `,"sample_rate":${line.sampleRate}`;
    return span !== undefined && isSpanContextValid(span) ? this.#format.trace(span) + sampled : sampled;
  }
}

function bindingsOf(entries: Bindings['entries']): Bindings {
  const json = entries.map((entry) => entry.json).join('');
  return { entries, names: new Set(entries.map(({ name }) => name)), json, bytes: Buffer.byteLength(json) };
}

function withoutNames(bindings: Bindings, names: ReadonlySet<string>): Bindings {
  return bindingsOf(bindings.entries.filter(({ name }) => !names.has(name)));
}

function serialized(fields: object, name: string, serialize: (value: never) => unknown): unknown {
  const value: unknown = (fields as Record<string, unknown>)[name];
  if (value instanceof Error) return value;
  try {
    return serialize(value as never);
  } catch {
    return '[threw]';
  }
}

function piiWriter({ pii = 'mask', hashKey = '' }: RedactOptions): (value: Pii<unknown>, writer: ValueWriter) => void {
  if (pii === 'off') return (value, writer) => writer.value(value.reveal(), writer.maxDepth - 1);
  if (pii === 'mask') return (_value, writer) => void (writer.out += '"[pii]"');
  return (value, writer) => {
    const digest = createHmac('sha256', hashKey).update(String(value.reveal())).digest('hex');
    writer.out += `"pii_${digest.slice(0, 16)}"`;
  };
}
