// Who stands in which relation to what, as tuples in memory: the model of Zanzibar (Pang et al., USENIX ATC 2019) for
// relations that fit there. `team:eng#member` as a subject means everybody who is a member of that team.
import { assertFunction, assertKnownOptions, assertObject, OptionsError, underPath } from '@macadam/core';

/** A relation of a subject to an object. */
export interface RelationTuple {
  /** `user:u1`; `team:eng#member` for everyone with that relation; `user:*` for every user. */
  readonly subject: string;
  /** The relation, such as `member` or `editor`. */
  readonly relation: string;
  /** The object, such as `doc:7`. */
  readonly object: string;
}

/** How a relation follows from others. */
export interface RelationDefinition {
  /** Relations to the same object that include this one: an editor is a viewer. Default: none. */
  includes?: readonly string[];
  /**
   * Relations of this object to other objects, such as `parent`: everyone who has this relation to those has it to this
   * object. Default: none.
   */
  from?: readonly string[];
}

/** Options of {@link relationGraph}. */
export interface RelationGraphOptions {
  /** The initial tuples. Default: none. */
  tuples?: Iterable<RelationTuple>;
  /** How relations follow from others, by name. Default: none. */
  relations?: Readonly<Record<string, RelationDefinition>>;
}

/** Relations between subjects and objects. Created by {@link relationGraph}. */
export interface RelationGraph {
  /** Returns whether the subject has the relation to the object, directly or indirectly. */
  has(subject: string, relation: string, object: string): boolean;
  /** Adds a tuple. Returns false when it was already there. */
  add(tuple: RelationTuple): boolean;
  /** Removes a tuple. Returns false when it was not there. */
  remove(tuple: RelationTuple): boolean;
  /**
   * Returns the relation as a function for `relations` of `definePermissions`. Does not hold where either function
   * returns `undefined`.
   */
  relation<P, R>(
    name: string,
    names: { subject: (principal: P) => string | undefined; object: (resource: R) => string | undefined },
  ): (principal: P, resource: R) => boolean;
  /** Number of tuples. */
  readonly size: number;
}

/** As deep as OpenFGA resolves by default. */
const DEEPEST = 25;
const NAME = /^[^\s#:]+$/;
const OBJECT = /^[^\s#:]+:[^\s#]+$/;
const SUBJECT = /^[^\s#:]+:[^\s#]+(#[^\s#:]+)?$/;

/**
 * Creates a graph of relations in memory, for `definePermissions`.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { relationGraph } from '@macadam/auth';
 *
 * const graph = relationGraph({
 *   relations: { viewer: { includes: ['editor'], from: ['parent'] } },
 *   tuples: [
 *     { subject: 'user:u1', relation: 'member', object: 'team:eng' },
 *     { subject: 'team:eng#member', relation: 'editor', object: 'folder:1' },
 *     { subject: 'folder:1', relation: 'parent', object: 'doc:7' },
 *   ],
 * });
 * console.log(graph.has('user:u1', 'viewer', 'doc:7')); // true
 * ```
 */
export function relationGraph(options: RelationGraphOptions = {}): RelationGraph {
  assertObject('relationGraph', options);
  return underPath('relationGraph', () => makeRelationGraph(options));
}

function makeRelationGraph(options: RelationGraphOptions): RelationGraph {
  assertKnownOptions('', options, ['tuples', 'relations']);
  const graph = new Graph(readDefinitions(options.relations ?? {}));
  const { tuples = [] } = options;
  if (typeof tuples !== 'object' || tuples === null || !(Symbol.iterator in tuples)) {
    throw new OptionsError('tuples', tuples, 'a list of tuples');
  }
  for (const tuple of tuples) graph.add(tuple);
  return graph;
}

type Definitions = ReadonlyMap<string, Required<RelationDefinition>>;

function readDefinitions(relations: Readonly<Record<string, RelationDefinition>>): Definitions {
  assertObject('relations', relations);
  return new Map(
    Object.entries(relations).map(([name, definition]) => {
      const path = `relations.${name}`;
      assertObject(path, definition);
      assertKnownOptions(path, definition, ['includes', 'from']);
      const { includes = [], from = [] } = definition;
      for (const [part, names] of Object.entries({ includes, from })) {
        if (!Array.isArray(names)) throw new OptionsError(`${path}.${part}`, names, 'a list of relations');
      }
      for (const one of [name, ...includes, ...from]) assertForm(path, one, NAME, 'names without blanks, # and colons');
      return [name, { includes: [...includes], from: [...from] }];
    }),
  );
}

function assertForm(path: string, value: unknown, form: RegExp, allowed: string): void {
  if (typeof value !== 'string' || !form.test(value)) throw new OptionsError(path, value, allowed);
}

const nobody: ReadonlySet<string> = new Set();
const nothing: Required<RelationDefinition> = { includes: [], from: [] };

class Graph implements RelationGraph {
  readonly #definitions: Definitions;
  /** Subjects, by object and relation. */
  readonly #subjects = new Map<string, Set<string>>();
  #size = 0;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  get size(): number {
    return this.#size;
  }

  has(subject: string, relation: string, object: string): boolean {
    // What no tuple can name has nothing, not even what everybody has.
    if (!SUBJECT.test(subject) || !OBJECT.test(object)) return false;
    const everyone = `${subject.slice(0, subject.indexOf(':'))}:*`;
    const seen = new Set([`${object}#${relation}`]);
    // Breadth first: what is near is found, however deep or circular the rest is.
    let level = [...seen];
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > DEEPEST) throw new RangeError(`Relations are nested more than ${DEEPEST} deep.`);
      const next: string[] = [];
      for (const key of level) {
        const subjects = this.#subjects.get(key) ?? nobody;
        if (key === subject || subjects.has(subject) || subjects.has(everyone)) return true;
        for (const one of this.#next(key, subjects)) {
          if (seen.has(one)) continue;
          seen.add(one);
          next.push(one);
        }
      }
      level = next;
    }
    return false;
  }

  add(tuple: RelationTuple): boolean {
    const { subject, key } = readTuple(tuple);
    const subjects = this.#subjects.get(key) ?? new Set();
    if (subjects.has(subject)) return false;
    this.#subjects.set(key, subjects.add(subject));
    this.#size++;
    return true;
  }

  remove(tuple: RelationTuple): boolean {
    const { subject, key } = readTuple(tuple);
    const subjects = this.#subjects.get(key);
    if (subjects?.delete(subject) !== true) return false;
    if (subjects.size === 0) this.#subjects.delete(key);
    this.#size--;
    return true;
  }

  relation<P, R>(
    name: string,
    names: { subject: (principal: P) => string | undefined; object: (resource: R) => string | undefined },
  ): (principal: P, resource: R) => boolean {
    assertForm('name', name, NAME, 'the name of a relation');
    assertObject('names', names);
    const { subject, object } = names;
    assertFunction('names.subject', subject);
    assertFunction('names.object', object);
    return (principal, resource) => {
      const from = subject(principal);
      const to = object(resource);
      // A group asks for nothing: a name with a # in it, from who knows where, must not become one.
      return from !== undefined && to !== undefined && !from.includes('#') && this.has(from, name, to);
    };
  }

  /** What else stands for whoever has the relation that `key`, `object#relation`, names. */
  *#next(key: string, subjects: ReadonlySet<string>): Generator<string> {
    const hash = key.lastIndexOf('#');
    const [object, relation] = [key.slice(0, hash), key.slice(hash + 1)];
    const { includes, from } = this.#definitions.get(relation) ?? nothing;
    for (const one of includes) yield `${object}#${one}`;
    for (const via of from) {
      for (const other of this.#subjects.get(`${object}#${via}`) ?? nobody) {
        if (!other.includes('#')) yield `${other}#${relation}`;
      }
    }
    for (const subject of subjects) if (subject.includes('#')) yield subject;
  }
}

function readTuple(tuple: RelationTuple): { subject: string; key: string } {
  assertObject('tuple', tuple);
  assertKnownOptions('tuple', tuple, ['subject', 'relation', 'object']);
  assertForm('tuple.subject', tuple.subject, SUBJECT, 'kind:id, kind:id#relation or kind:*');
  assertForm('tuple.relation', tuple.relation, NAME, 'a name without blanks, # and colons');
  assertForm('tuple.object', tuple.object, OBJECT, 'kind:id');
  return { subject: tuple.subject, key: `${tuple.object}#${tuple.relation}` };
}
