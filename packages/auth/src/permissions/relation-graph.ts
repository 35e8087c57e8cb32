// Relation tuples in memory: the model of Zanzibar (Pang et al., USENIX ATC 2019) for relations that fit into one process.
// The subject `team:eng#member` is a userset: everyone who has the relation `member` to `team:eng`.
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

/** The default limit of OpenFGA. */
const MAX_DEPTH = 25;
const RELATION_NAME = /^[^\s#:]+$/;
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
  const graph = new Graph(parseDefinitions(options.relations ?? {}));
  const { tuples = [] } = options;
  if (typeof tuples !== 'object' || tuples === null || !(Symbol.iterator in tuples)) {
    throw new OptionsError('tuples', tuples, 'a list of tuples');
  }
  for (const tuple of tuples) graph.add(tuple);
  return graph;
}

type Definitions = ReadonlyMap<string, Required<RelationDefinition>>;

function parseDefinitions(relations: Readonly<Record<string, RelationDefinition>>): Definitions {
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
      for (const one of [name, ...includes, ...from])
        assertMatches(path, one, RELATION_NAME, 'names without spaces, # and colons');
      return [name, { includes: [...includes], from: [...from] }];
    }),
  );
}

function assertMatches(path: string, value: unknown, pattern: RegExp, allowed: string): void {
  if (typeof value !== 'string' || !pattern.test(value)) throw new OptionsError(path, value, allowed);
}

const NO_SUBJECTS: ReadonlySet<string> = new Set();
const NO_DEFINITION: Required<RelationDefinition> = { includes: [], from: [] };

class Graph implements RelationGraph {
  readonly #definitions: Definitions;
  /** Subjects by `object#relation`. */
  readonly #subjects = new Map<string, Set<string>>();
  #size = 0;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  get size(): number {
    return this.#size;
  }

  has(subject: string, relation: string, object: string): boolean {
    // A text that is not a valid subject has no relation, not even one that is granted to `type:*`.
    if (!SUBJECT.test(subject) || !OBJECT.test(object)) return false;
    const everyone = `${subject.slice(0, subject.indexOf(':'))}:*`;
    const visited = new Set([`${object}#${relation}`]);
    // Breadth first: a short path is found before the depth limit is hit elsewhere; `visited` ends cycles.
    let level = [...visited];
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > MAX_DEPTH) throw new RangeError(`Relations are nested more than ${MAX_DEPTH} deep.`);
      const next: string[] = [];
      for (const key of level) {
        const subjects = this.#subjects.get(key) ?? NO_SUBJECTS;
        if (key === subject || subjects.has(subject) || subjects.has(everyone)) return true;
        for (const one of this.#expand(key, subjects)) {
          if (visited.has(one)) continue;
          visited.add(one);
          next.push(one);
        }
      }
      level = next;
    }
    return false;
  }

  add(tuple: RelationTuple): boolean {
    const { subject, key } = parseTuple(tuple);
    const subjects = this.#subjects.get(key) ?? new Set();
    if (subjects.has(subject)) return false;
    this.#subjects.set(key, subjects.add(subject));
    this.#size++;
    return true;
  }

  remove(tuple: RelationTuple): boolean {
    const { subject, key } = parseTuple(tuple);
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
    assertMatches('name', name, RELATION_NAME, 'the name of a relation');
    assertObject('names', names);
    const { subject, object } = names;
    assertFunction('names.subject', subject);
    assertFunction('names.object', object);
    return (principal, resource) => {
      const from = subject(principal);
      const to = object(resource);
      // A principal is never a userset: a `#` in an id that comes from outside must not turn it into a group.
      return from !== undefined && to !== undefined && !from.includes('#') && this.has(from, name, to);
    };
  }

  /** The usersets that are contained in the userset `key` (`object#relation`). */
  *#expand(key: string, subjects: ReadonlySet<string>): Generator<string> {
    const hash = key.lastIndexOf('#');
    const [object, relation] = [key.slice(0, hash), key.slice(hash + 1)];
    const { includes, from } = this.#definitions.get(relation) ?? NO_DEFINITION;
    for (const one of includes) yield `${object}#${one}`;
    for (const via of from) {
      for (const other of this.#subjects.get(`${object}#${via}`) ?? NO_SUBJECTS) {
        if (!other.includes('#')) yield `${other}#${relation}`;
      }
    }
    for (const subject of subjects) if (subject.includes('#')) yield subject;
  }
}

function parseTuple(tuple: RelationTuple): { subject: string; key: string } {
  assertObject('tuple', tuple);
  assertKnownOptions('tuple', tuple, ['subject', 'relation', 'object']);
  assertMatches('tuple.subject', tuple.subject, SUBJECT, 'kind:id, kind:id#relation or kind:*');
  assertMatches('tuple.relation', tuple.relation, RELATION_NAME, 'a name without spaces, # and colons');
  assertMatches('tuple.object', tuple.object, OBJECT, 'kind:id');
  return { subject: tuple.subject, key: `${tuple.object}#${tuple.relation}` };
}
