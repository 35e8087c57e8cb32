/**
 * Turns a log call into one line: the prefix of the format, bindings, fields, trace and message. The line is valid JSON
 * with unique names and within the limits, whatever the caller passes in.
 */
import { isSpanContextValid, trace } from '@opentelemetry/api';
import { fieldBytesOf, type LineLimits } from './encode/limits.ts';
import { piiWriter } from './encode/pii-writer.ts';
import { PropertyNames, SUMMARY_FIELDS } from './encode/property-names.ts';
import { MARK_NAME, TextWriter } from './encode/text-writer.ts';
import { ValueWriter } from './encode/value-writer.ts';
import { formatText, textOf } from './format-text.ts';
import { type LineFormat, SHADOWED } from './line-format.ts';
import { Bindings, type BoundField, type FieldEffects, type Line, type WorkSummary } from './line.ts';
import { lineTotals } from './line-totals.ts';
import type { RedactOptions, Serializers } from './options.ts';
import { KeyRules } from './redact/key-rules.ts';
import { TextRules } from './redact/text-rules.ts';
import { writeField } from './write-field.ts';

const hasOwn = Object.prototype.hasOwnProperty;
/** Names of units of work come from the code and are few. If they are not, the cache of prefixes stays bounded. */
const MAX_SUMMARY_PREFIXES = 1_000;

export class LineWriter {
  /** The number of strings, lists and objects that were cut. */
  cut = 0;
  readonly #format: LineFormat;
  readonly #values: ValueWriter;
  readonly #limits: LineLimits;
  #isWriting = false;
  /** The number of the current line of a unit of work; {@link PropertyName.lastExtraLine} refers to it. */
  #summaryLine = 0;
  /** The last of these that has a mark for fields that are left out. */
  #markedLine = 0;
  /** The beginning of the summary by the name of the work, which repeats often. */
  readonly #summaryPrefixes = new Map<string, string>();
  readonly #createAnother: () => LineWriter;
  /** Whether the summary can be concatenated: neither redaction nor the format concerns its names. */
  readonly #hasPlainSummary: boolean;
  /** Maximum length of bindings and fields together, in bytes. */
  readonly #fieldBytes: number;

  constructor(format: LineFormat, limits: LineLimits, redact: RedactOptions) {
    this.#format = format;
    this.#limits = limits;
    const keys = new KeyRules(redact.keys, redact.allow);
    const maxLength = Math.min(limits.stringBytes, limits.lineBytes >> 3);
    const text = new TextWriter(maxLength, new TextRules(keys, redact.keys, redact.patterns));
    const names = new PropertyNames(keys, text, format.reserved);
    this.#values = new ValueWriter(limits, text, names, piiWriter(redact), format.errorNames);
    this.#hasPlainSummary = !SUMMARY_FIELDS.some((name) => keys.isSensitive(name) || format.reserved.has(name));
    this.#createAnother = () => new LineWriter(format, limits, redact);
    this.#fieldBytes = fieldBytesOf(limits, maxLength, Buffer.byteLength(format.processFields));
  }

  /** Returns the line with a line feed at its end. Never throws. */
  line(line: Line): string {
    // A getter or a toJSON may log. That line is written by another writer, so that it does not end up inside of this one.
    if (this.#isWriting) return this.#createAnother().line(line);
    this.#isWriting = true;
    try {
      return this.#line(line);
    } catch {
      return `${this.#prefix(line)},"msg":"[this line could not be written]"}\n`;
    } finally {
      this.cut += this.#values.text.cuts;
      lineTotals.cut += this.#values.text.cuts;
      this.#values.text.cuts = 0;
      this.#values.release();
      this.#isWriting = false;
    }
  }

  /** Returns the bindings of `parent` and `fields`, which replace those of the same name. */
  bind(parent: Bindings, fields: object, serializers: Serializers | undefined): Bindings {
    if (this.#isWriting) return this.#createAnother().bind(parent, fields, serializers);
    this.#isWriting = true;
    const values = this.#values;
    const added: BoundField[] = [];
    try {
      values.reset((this.#limits.lineBytes >> 2) - parent.bytes);
      values.enter(fields);
      for (const name in fields) {
        if (!hasOwn.call(fields, name)) continue;
        values.out = '';
        if (!values.reserveValue()) {
          values.writeMark(false, 'more');
          added.push({ name: MARK_NAME, json: values.out, reserved: false });
          break;
        }
        writeField(values, this.#format, fields, name, serializers);
        if (values.out === '') continue;
        added.push({ name, json: values.out, reserved: this.#format.reserved.has(name) });
        values.maxBytes -= values.out.length;
      }
    } catch {
      // A Proxy whose names cannot be read adds no bindings.
    } finally {
      values.release();
      this.#isWriting = false;
    }
    return parent.with(new Bindings(added));
  }

  #line(line: Line): string {
    const values = this.#values;
    const prefix = this.#prefix(line);
    let { message, bindings } = line;
    let shadowed = '';
    values.reset(this.#fieldBytes - bindings.bytes);
    if (line.fields !== undefined) {
      const effects: FieldEffects = { message: undefined, replacedBindings: undefined, shadowed: '' };
      if (line.work !== undefined) this.#writeSummary(line, line.work, effects);
      this.#writeFields(line, line.fields, line.work === undefined ? 'plain' : 'annotations', effects);
      message ??= effects.message ?? values.errorMessage;
      if (effects.replacedBindings !== undefined) bindings = bindings.without(effects.replacedBindings);
      shadowed = effects.shadowed;
    }
    const { fieldsOpen, fieldsClose } = this.#format;
    let fields = bindings.json + values.out;
    if (bindings.shadowed !== '' || shadowed !== '') {
      fields += `,"${SHADOWED}":{${(bindings.shadowed + shadowed).slice(1)}}`;
    }
    if (fieldsOpen !== '') fields = `${fieldsOpen}${fields.slice(1)}${fieldsClose}`;
    const traceFields = this.#traceFields(line);
    if (traceFields !== '') fields += traceFields;
    return `${prefix}${fields}${this.#end(message, line.args)}`;
  }

  #prefix(line: Line): string {
    const { levelPrefixes, formatTime, processFields } = this.#format;
    return `${levelPrefixes[line.level]}${formatTime(line.time)}${processFields}`;
  }

  /** Writes the first fields of a line of a unit of work. Concatenates them where nothing can change them on the way. */
  #writeSummary(line: Line, work: WorkSummary, effects: FieldEffects): void {
    const values = this.#values;
    const { event, outcome, durationMs, priority, extraFields } = work;
    this.#summaryLine++;
    if (line.serializers === undefined && this.#hasPlainSummary && line.bindings.fields.length === 0) {
      let prefix = this.#summaryPrefixes.get(event);
      if (prefix === undefined) {
        prefix = `,"event":${values.text.quote(event)},"outcome":"`;
        if (this.#summaryPrefixes.size < MAX_SUMMARY_PREFIXES) this.#summaryPrefixes.set(event, prefix);
      }
      values.out = `${prefix + outcome}","durationMs":${durationMs},"priority":"${priority}"`;
    } else {
      this.#writeFields(line, { event, outcome, durationMs, priority }, 'plain', effects);
    }
    if (extraFields !== undefined) this.#writeFields(line, extraFields, 'extra', effects);
  }

  /** Writes the fields of a call. `extra` leaves out the names of the summary, `annotations` those of the extra fields too. */
  #writeFields(line: Line, fields: object, which: 'plain' | 'extra' | 'annotations', effects: FieldEffects): void {
    const values = this.#values;
    values.enter(fields);
    const { serializers } = line;
    const bindings = line.bindings.fields.length === 0 ? undefined : line.bindings;
    const extraFields = line.work?.extraFields;
    let count = 0;
    let known = values.names.start;
    const before = values.out;
    try {
      for (const name in fields) {
        if (!hasOwn.call(fields, name)) continue;
        known = values.names.getAfter(known, name);
        if (which !== 'plain') {
          if (known.isSummaryField) continue;
          if (which === 'extra') known.lastExtraLine = this.#summaryLine;
          else if (known.lastExtraLine === this.#summaryLine) continue;
          else if (!known.cached && extraFields !== undefined && hasOwn.call(extraFields, name)) continue;
        }
        if (count++ >= this.#limits.items || !values.reserveValue()) {
          if (this.#beginMark(line, effects)) values.writeMark(false, 'more');
          break;
        }
        if (known.reserved) {
          this.#writeReserved(line, fields, name, effects);
          continue;
        }
        if (bindings !== undefined && bindings.has(name)) (effects.replacedBindings ??= new Set()).add(name);
        if (name === 'err' || serializers !== undefined) {
          writeField(values, this.#format, fields, name, serializers);
          continue;
        }
        let value: unknown;
        // Read inside of the `for in` loop, where V8 uses the shape of the object for a fast look-up.
        try {
          value = (fields as Record<string, unknown>)[name];
        } catch {
          values.writeUnreadable(known, false);
          continue;
        }
        values.writeEntry(value, known, false, 1, fields);
      }
    } catch {
      values.out = this.#beginMark(line, effects) ? `${before},"${MARK_NAME}":"[threw]"` : before;
    }
  }

  /** Whether the line has no mark for fields that are left out yet. It gets one, instead of one in its bindings. */
  #beginMark(line: Line, effects: FieldEffects): boolean {
    if (line.bindings.has(MARK_NAME)) (effects.replacedBindings ??= new Set()).add(MARK_NAME);
    if (line.work !== undefined && this.#markedLine === this.#summaryLine) return false;
    this.#markedLine = this.#summaryLine;
    return true;
  }

  /** Writes a field whose name is reserved: as the message if it is a string and there is no other, else below `shadowed`. */
  #writeReserved(line: Line, fields: object, name: string, effects: FieldEffects): void {
    const values = this.#values;
    const before = values.out;
    writeField(values, this.#format, fields, name, line.serializers);
    const json = values.out.slice(before.length);
    values.out = before;
    if (json === '') return;
    values.maxBytes -= json.length;
    const start = `,"${name}":`;
    if (this.#format.messageKey === start && line.message === undefined && json.startsWith(`${start}"`)) {
      effects.message = JSON.parse(json.slice(start.length)) as string;
      return;
    }
    effects.shadowed += json;
    if (line.bindings.has(name)) (effects.replacedBindings ??= new Set()).add(name);
  }

  /** Returns the message and the end of the line. */
  #end(message: unknown, args: readonly unknown[]): string {
    if (message === undefined) return '}\n';
    let text = typeof message === 'string' ? message : textOf(message);
    if (args.length > 0 && text.includes('%')) text = formatText(text, args, (value) => this.#argumentJson(value));
    const plain = this.#values.text.plain(text);
    if (plain !== undefined) return `${this.#format.messageString}${plain}"}\n`;
    return `${this.#format.messageKey}${this.#values.text.quoteScanned(text)}}\n`;
  }

  /** JSON of an argument for `%o` or `%j`. Overwrites `out`, whose fields are part of the line by then. */
  #argumentJson(value: unknown): string {
    const values = this.#values;
    values.reset(values.text.limit);
    values.writeValue(value, 0);
    return values.out;
  }

  #traceFields(line: Line): string {
    const span = trace.getActiveSpan()?.spanContext();
    const sampled = line.sampleRate === undefined ? '' : `,"sample_rate":${line.sampleRate}`;
    return span !== undefined && isSpanContextValid(span) ? this.#format.traceFields(span) + sampled : sampled;
  }
}
