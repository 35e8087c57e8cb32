// The content of the telemetry catalogue, and the rules for names that are removed from it. Pure functions.
import type { AttributeBound, TelemetryDescription } from '../../packages/core/src/telemetry-names.ts';

/** An attribute as used by a metric or span. */
export interface Attribute {
  name: string;
  type: string;
  description: string;
  /** For a metric: its values, or what bounds them. */
  values?: AttributeBound;
}

export interface Entry {
  package: string;
  name: string;
  description: string;
  attributes: Attribute[];
}

/** A name that a release had and that was removed. */
export interface Gone {
  package: string;
  /** Such as `metric macadam.cache.reads`. */
  what: string;
  /** The last version that had it. */
  after: string;
}

/** The catalogue as it is committed in JSON. */
export interface Catalogue {
  metrics: (Entry & { kind: string; unit: string })[];
  spans: (Entry & { kind: string })[];
  events: (Entry & { level: string })[];
  /** Fields that packages add to the canonical log line. */
  fields: (Attribute & { package: string })[];
  gone: Gone[];
}

export type Described = TelemetryDescription & { version: string };

/** The catalogue of the current telemetry, with every removed name of older catalogues. */
export function catalogueOf(described: readonly Described[], older: readonly Catalogue[]): Catalogue {
  const entries = described.flatMap((one) => {
    const attribute = (name: string, values?: AttributeBound): Attribute => {
      const { type = '', description = '' } = one.attributes[name] ?? {};
      return { name, type, description, ...(values !== undefined && { values }) };
    };
    const entry = (name: string, description: string, attributes: readonly string[]): Entry => {
      return { package: one.scope, name, description, attributes: attributes.map((each) => attribute(each)) };
    };
    return {
      metrics: (one.metrics ?? []).map(({ name, kind, unit, description, attributes }) => {
        const all = Object.entries(attributes).map(([each, values]) => attribute(each, values));
        return { package: one.scope, name, kind, unit, description, attributes: all };
      }),
      spans: (one.spans ?? []).map((span) => {
        return { ...entry(span.name, span.description, span.attributes), kind: span.kind };
      }),
      events: (one.events ?? []).map((event) => {
        return { ...entry(event.name, event.description, event.attributes), level: event.level };
      }),
      fields: (one.annotations ?? []).map((name) => ({ package: one.scope, ...attribute(name) })),
    };
  });
  const made: Catalogue = {
    metrics: entries.flatMap(({ metrics }) => metrics),
    spans: entries.flatMap(({ spans }) => spans),
    events: entries.flatMap(({ events }) => events),
    fields: entries.flatMap(({ fields }) => fields),
    gone: [],
  };
  const versions = new Map(described.map(({ scope, version }) => [scope, version]));
  const there = promised(made);
  const gone = new Map<string, Gone>();
  for (const old of older) {
    for (const one of old.gone) gone.set(keyOf(one), one);
    for (const one of promised(old).values()) {
      if (!gone.has(keyOf(one))) gone.set(keyOf(one), { ...one, after: versions.get(one.package) ?? '' });
    }
  }
  const all = [...gone].filter(([key, { after }]) => !there.has(key) && after !== UNRELEASED).map(([, one]) => one);
  // When a metric is removed, its unit and attributes need not be listed.
  made.gone = all.filter((one) => {
    return !all.some((whole) => whole.package === one.package && one.what.endsWith(` of ${whole.what}`));
  });
  made.gone.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return made;
}

/** The version of a package before its first release. Nobody can depend on names from that time. */
const UNRELEASED = '0.0.0';

function keyOf({ package: owner, what }: { package: string; what: string }): string {
  return `${owner} ${what}`;
}

/** Everything that users may depend on: names, kinds, units, attributes and their values. */
function promised(from: Catalogue): Map<string, { package: string; what: string }> {
  const all = new Map<string, { package: string; what: string }>();
  const add = (owner: string, what: string): void =>
    void all.set(keyOf({ package: owner, what }), { package: owner, what });
  const withAttributes = ({ package: owner, attributes }: Entry, what: string): void => {
    add(owner, what);
    for (const { name, values } of attributes) {
      add(owner, `attribute \`${name}\` of ${what}`);
      for (const value of typeof values === 'object' ? values : [])
        add(owner, `value \`${value}\` of attribute \`${name}\` of ${what}`);
    }
  };
  for (const metric of from.metrics) {
    withAttributes(metric, `metric \`${metric.name}\``);
    add(metric.package, `kind \`${metric.kind}\` of metric \`${metric.name}\``);
    add(metric.package, `unit \`${metric.unit}\` of metric \`${metric.name}\``);
  }
  for (const span of from.spans) withAttributes(span, `span \`${span.name}\` (${span.kind})`);
  for (const event of from.events) withAttributes(event, `log line \`${event.name}\``);
  for (const field of from.fields) add(field.package, `field \`${field.name}\` of the canonical line`);
  return all;
}

/** Finds incomplete descriptions, and metrics with an unbounded number of series. */
export function undescribed(described: readonly Described[]): string[] {
  return described.flatMap(({ scope, metrics = [], spans = [], events = [], annotations = [], attributes }) => {
    const problems: string[] = [];
    const used = new Set<string>([...annotations]);
    const names = new Set<string>();
    for (const { name, unit, description, attributes: own } of metrics) {
      if (names.has(name)) problems.push(`${scope}: metric ${name} is there twice`);
      names.add(name);
      if (unit === '' || description === '') problems.push(`${scope}: metric ${name} has no unit or no description`);
      for (const [attribute, bound] of Object.entries(own)) {
        used.add(attribute);
        if (bound.length === 0) problems.push(`${scope}: nothing bounds ${attribute} of metric ${name}`);
      }
    }
    for (const { attributes: own } of [...spans, ...events]) for (const attribute of own) used.add(attribute);
    for (const name of used) {
      if (attributes[name] === undefined) problems.push(`${scope}: TELEMETRY.attributes does not describe ${name}`);
    }
    for (const name of Object.keys(attributes)) {
      if (!used.has(name)) problems.push(`${scope}: TELEMETRY.attributes describes ${name}, which nothing has`);
    }
    return problems;
  });
}

/** Names in the sources that the catalogue does not contain. */
export function unknownNames(made: Catalogue, literals: readonly { path: string; name: string }[]): string[] {
  const known = new Set(
    [...made.metrics, ...made.spans, ...made.events].flatMap(({ name, attributes }) => [
      name,
      ...attributes.map((attribute) => attribute.name),
    ]),
  );
  for (const { name } of made.fields) known.add(name);
  return literals
    .filter(({ name }) => !known.has(name))
    .map(({ path, name }) => `${path}: ${name} is not in TELEMETRY of its package`);
}

/** Removed names that nothing announced. `said` returns the announcements to the users of a package. */
export function unannounced(gone: readonly Gone[], said: (owner: string) => string): string[] {
  return gone
    .filter(({ package: owner, what }) => {
      const [first = ''] = /`[^`]+`/.exec(what) ?? [];
      return !said(owner).includes(first);
    })
    .map(({ package: owner, what }) => {
      return `${owner}: the ${what} is gone. Say so in a changeset of ${owner}, with the name in backticks: users have alerts on it.`;
    });
}

/** Whether the front matter of a changeset names the package. */
export function mentionsPackage(changeset: string, owner: string): boolean {
  const [, front = ''] = /^---\n([\s\S]*?)\n---/.exec(changeset) ?? [];
  return front.split('\n').some((line) => line.replaceAll(/['"]/g, '').startsWith(`${owner}:`));
}
