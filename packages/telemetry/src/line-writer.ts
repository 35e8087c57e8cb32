import { isSpanContextValid, trace } from '@opentelemetry/api';
import type { LineLimits } from './encode/limits.ts';
import { piiWriter } from './encode/pii-writer.ts';
import { OF_WORK, PropertyNames } from './encode/property-names.ts';
import { TextWriter } from './encode/text-writer.ts';
import { ValueWriter } from './encode/value-writer.ts';
import { formatText, textOf } from './format-text.ts';
import { type LineFormat, SHADOWED } from './line-format.ts';
import { Bindings, type BoundField, type Line, type WorkSummary } from './line.ts';
import { lineTotals } from './line-totals.ts';
import type { RedactOptions, Serializers } from './options.ts';
import { serialized } from './serialized.ts';
import { KeyRules } from './redact/key-rules.ts';
import { TextRules } from './redact/text-rules.ts';

const hasOwn = Object.prototype.hasOwnProperty;
/** Names of works come from the code; if they do not, there is an end to what is remembered. */
const MOST_WORKS = 1_000;

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
  /** Counts the lines of works, to know which names are taken by what they begin with. */
  #works = 0;
  /** The beginning of such a line, by the name of the work: there are few, and they come often. */
  readonly #workHeads = new Map<string, string>();
  readonly #again: () => LineWriter;
  /** Whether nobody hides what every line of work begins with. */
  readonly #plainWork: boolean;

  constructor(format: LineFormat, limits: LineLimits, redact: RedactOptions) {
    this.#format = format;
    this.#limits = limits;
    const keys = new KeyRules(redact.keys, redact.allow);
    const longest = Math.min(limits.stringBytes, limits.lineBytes >> 3);
    const text = new TextWriter(longest, new TextRules(keys, redact.keys, redact.patterns));
    const names = new PropertyNames(keys, text, format.reserved);
    this.#values = new ValueWriter(limits, text, names, piiWriter(redact), format.errorNames);
    this.#plainWork = !OF_WORK.some((name) => keys.isSensitive(name) || format.reserved.has(name));
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
    const added: BoundField[] = [];
    try {
      values.reset(this.#limits.lineBytes >> 2);
      values.enter(fields);
      for (const name in fields) {
        if (!hasOwn.call(fields, name)) continue;
        if (!values.hasRoom()) break;
        values.out = '';
        this.#field(fields, name, false, serializers);
        if (values.out === '' || this.#format.reserved.has(name)) continue;
        added.push({ name, json: values.out });
        values.maxBytes -= values.out.length;
      }
    } catch {
      // A Proxy that does not let its names be read binds nothing.
    } finally {
      values.release();
      this.#busy = false;
    }
    return parent.with(new Bindings(added));
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
      if (line.work !== undefined) this.#work(line, line.work, taken);
      this.#fields(line, line.fields, line.work === undefined ? 'plain' : 'annotations', taken);
      message ??= taken.message ?? values.errorMessage;
      if (taken.bound !== undefined) bindings = bindings.without(taken.bound);
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

  /** What a line of work begins with: joined from what is known already, unless somebody wants it otherwise. */
  #work(line: Line, work: WorkSummary, taken: Taken): void {
    const values = this.#values;
    const { event, outcome, durationMs, priority, more } = work;
    this.#works++;
    if (line.serializers === undefined && this.#plainWork && line.bindings.fields.length === 0) {
      let head = this.#workHeads.get(event);
      if (head === undefined) {
        head = `,"event":${values.text.quote(event)},"outcome":"`;
        if (this.#workHeads.size < MOST_WORKS) this.#workHeads.set(event, head);
      }
      values.out = `${head + outcome}","durationMs":${durationMs},"priority":"${priority}"`;
    } else {
      this.#fields(line, { event, outcome, durationMs, priority }, 'plain', taken);
    }
    if (more !== undefined) this.#fields(line, more, 'more', taken);
  }

  /** Writes the fields, and sets apart those whose names are ours. In a line of work, what comes first counts. */
  #fields(line: Line, fields: object, which: 'plain' | 'more' | 'annotations', taken: Taken): void {
    const values = this.#values;
    values.enter(fields);
    const { serializers } = line;
    const bound = line.bindings.fields.length === 0 ? undefined : line.bindings;
    const more = line.work?.more;
    let count = 0;
    let known = values.names.start;
    const start = values.out;
    try {
      for (const name in fields) {
        if (!hasOwn.call(fields, name)) continue;
        known = values.names.after(known, name);
        if (which !== 'plain') {
          if (known.ofWork) continue;
          if (which === 'more') known.work = this.#works;
          else if (known.work === this.#works) continue;
          else if (!known.remembered && more !== undefined && hasOwn.call(more, name)) continue;
        }
        if (count++ >= this.#limits.items || !values.hasRoom()) {
          values.out += ',"[…]":';
          values.cut('more');
          break;
        }
        if (known.reserved) {
          this.#shadow(line, fields, name, taken);
          continue;
        }
        if (bound !== undefined && bound.has(name)) (taken.bound ??= new Set()).add(name);
        if (name === 'err' || serializers !== undefined) {
          this.#field(fields, name, false, serializers);
          continue;
        }
        let value: unknown;
        // Read here, where the engine knows the shape from the loop.
        try {
          value = (fields as Record<string, unknown>)[name];
        } catch {
          values.unreadable(known, false);
          continue;
        }
        values.entry(value, known, false, 1, fields);
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
    else values.property({ [name]: serialized(fields, name, serialize) }, name, first, 1, fields);
  }

  #message(message: unknown, args: readonly unknown[]): string {
    if (message === undefined) return '';
    let text = typeof message === 'string' ? message : textOf(message);
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
