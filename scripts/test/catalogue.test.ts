import { describe, expect, it } from 'vitest';
import {
  type Catalogue,
  catalogueOf,
  mentionsPackage,
  type Described,
  unannounced,
  undescribed,
  unknownNames,
} from '../catalogue/names.ts';
import { pageOf } from '../catalogue/page.ts';

const cache: Described = {
  scope: '@macadam/cache',
  version: '1.2.0',
  metrics: [
    {
      name: 'macadam.cache.reads',
      kind: 'counter',
      unit: '{read}',
      description: 'Reads',
      attributes: { 'macadam.outcome': ['hit', 'miss'], 'macadam.cache.name': 'names from the code' },
    },
  ],
  spans: [{ name: 'load', kind: 'INTERNAL', description: 'A load', attributes: ['macadam.cache.name'] }],
  annotations: ['cacheHits'],
  attributes: {
    'macadam.outcome': { type: 'string', description: 'How it ended' },
    'macadam.cache.name': { type: 'string', description: 'Its name' },
    cacheHits: { type: 'int', description: 'Hits' },
  },
};
const [reads] = cache.metrics ?? [];
const released = catalogueOf([cache], []);

/** The catalogue after a change of the one metric. */
const after = (change: object): Catalogue =>
  catalogueOf([{ ...cache, metrics: [{ ...reads!, ...change }] }], [released]);
const what = ({ gone }: Catalogue): string[] => gone.map((one) => one.what);

describe('names that go', () => {
  it('nothing is gone when nothing changed or something came', () => {
    expect(what(after({}))).toEqual([]);
    expect(what(after({ attributes: { ...reads!.attributes, 'macadam.more': ['a'] } }))).toEqual([]);
  });

  it.each([
    ['a renamed metric', { name: 'macadam.cache.gets' }, 'metric `macadam.cache.reads`'],
    ['another unit', { unit: '1' }, 'unit `{read}` of metric `macadam.cache.reads`'],
    ['another type', { kind: 'gauge' }, 'kind `counter` of metric `macadam.cache.reads`'],
    [
      'an attribute less',
      { attributes: { 'macadam.outcome': ['hit', 'miss'] } },
      'attribute `macadam.cache.name` of metric `macadam.cache.reads`',
    ],
    [
      'a value less',
      { attributes: { ...reads?.attributes, 'macadam.outcome': ['hit'] } },
      'value `miss` of attribute `macadam.outcome` of metric `macadam.cache.reads`',
    ],
  ])('%s is noticed', (_name, change, expected) => {
    expect(what(after(change))).toContain(expected);
  });

  it('with a metric that is renamed, its unit and attributes go without saying', () => {
    expect(what(after({ name: 'macadam.cache.gets' }))).toEqual(['metric `macadam.cache.reads`']);
  });

  it('spans and fields of the canonical line count as well', () => {
    expect(what(catalogueOf([{ ...cache, spans: [], annotations: [] }], [released]))).toEqual([
      'field `cacheHits` of the canonical line',
      'span `load` (INTERNAL)',
    ]);
  });

  it('what is gone stays listed, also when the changeset is long released, until it comes back', () => {
    const renamed = after({ unit: '1' });
    const later = catalogueOf([{ ...cache, version: '2.0.0', metrics: [{ ...reads!, unit: '1' }] }], [renamed]);
    expect(later.gone).toEqual(renamed.gone);
    expect(later.gone[0]).toMatchObject({ package: '@macadam/cache', after: '1.2.0' });
    expect(catalogueOf([cache], [renamed]).gone.map((one) => one.what)).toEqual([
      'unit `1` of metric `macadam.cache.reads`',
    ]);
  });

  it('nothing is gone of a package before its first release', () => {
    const first = { ...cache, version: '0.0.0' };
    const renamed = catalogueOf([{ ...first, metrics: [{ ...reads!, unit: '1' }] }], [released]);
    expect(what(renamed)).toEqual([]);
    const left = { ...renamed, gone: [{ package: '@macadam/cache', what: 'unit `{look}`', after: '0.0.0' }] };
    expect(what(catalogueOf([cache], [left])), 'nor later').toEqual(['unit `1` of metric `macadam.cache.reads`']);
  });

  it('fail without a word to the users of the package, and not with one', () => {
    const { gone } = after({ unit: '1' });
    expect(unannounced(gone, () => 'The cache is faster now.')).toEqual([expect.stringContaining('`{read}`')]);
    expect(unannounced(gone, (owner) => (owner === '@macadam/cache' ? 'The unit is no longer `{read}`.' : ''))).toEqual(
      [],
    );
    expect(
      unannounced(gone, (owner) => (owner === '@macadam/http' ? 'The unit is no longer `{read}`.' : '')),
    ).toHaveLength(1);
  });

  it('only a changeset that names the package in its front matter speaks to its users', () => {
    expect(mentionsPackage("---\n'@macadam/cache': minor\n---\n\ntext", '@macadam/cache')).toBe(true);
    expect(mentionsPackage('---\n"@macadam/cache": minor\n---\n\ntext', '@macadam/cache')).toBe(true);
    expect(mentionsPackage("---\n'@macadam/http': minor\n---\n\n'@macadam/cache': text", '@macadam/cache')).toBe(false);
  });
});

describe('what a package says of itself', () => {
  it.each([
    ['an attribute without a description', { attributes: {} }, 'does not describe macadam.outcome'],
    [
      'a description of nothing',
      { attributes: { ...cache.attributes, spare: { type: 'string', description: 'x' } } },
      'describes spare, which nothing has',
    ],
    [
      'an attribute that nothing bounds',
      { metrics: [{ ...reads, attributes: { ...reads?.attributes, 'macadam.outcome': [] } }] },
      'nothing bounds macadam.outcome',
    ],
    ['a metric without a unit', { metrics: [{ ...reads, unit: '' }] }, 'has no unit'],
    ['a metric twice', { metrics: [reads, reads] }, 'is there twice'],
  ])('%s is refused', (_name, change, expected) => {
    expect(undescribed([{ ...cache, ...change } as Described]).join('\n')).toContain(expected);
    expect(undescribed([cache])).toEqual([]);
  });

  it('a name of ours in a source that the catalogue does not know is refused', () => {
    const literals = ['macadam.cache.reads', 'macadam.outcome', 'macadam.cache.new'].map((name) => ({
      path: 'x.ts',
      name,
    }));
    expect(unknownNames(released, literals)).toEqual(['x.ts: macadam.cache.new is not in TELEMETRY of its package']);
  });

  it('the page shows all of it, names that are gone included', () => {
    const page = pageOf(after({ name: 'macadam.cache.gets' }));
    for (const text of [
      '`macadam.cache.gets`',
      '`hit`, `miss`',
      '`load`',
      '`cacheHits`',
      'metric `macadam.cache.reads`',
    ]) {
      expect(page).toContain(text);
    }
  });
});
