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

describe('removed names', () => {
  it('lists nothing when nothing changed or a name was added', () => {
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

  it('does not list the unit and attributes of a renamed metric', () => {
    expect(what(after({ name: 'macadam.cache.gets' }))).toEqual(['metric `macadam.cache.reads`']);
  });

  it('lists spans and fields of the canonical log line too', () => {
    expect(what(catalogueOf([{ ...cache, spans: [], annotations: [] }], [released]))).toEqual([
      'field `cacheHits` of the canonical line',
      'span `load` (INTERNAL)',
    ]);
  });

  it('keeps a removed name listed after its changeset is released, until the name is added again', () => {
    const renamed = after({ unit: '1' });
    const later = catalogueOf([{ ...cache, version: '2.0.0', metrics: [{ ...reads!, unit: '1' }] }], [renamed]);
    expect(later.gone).toEqual(renamed.gone);
    expect(later.gone[0]).toMatchObject({ package: '@macadam/cache', after: '1.2.0' });
    expect(catalogueOf([cache], [renamed]).gone.map((one) => one.what)).toEqual([
      'unit `1` of metric `macadam.cache.reads`',
    ]);
  });

  it('lists nothing for a package before its first release', () => {
    const first = { ...cache, version: '0.0.0' };
    const renamed = catalogueOf([{ ...first, metrics: [{ ...reads!, unit: '1' }] }], [released]);
    expect(what(renamed)).toEqual([]);
    const left = { ...renamed, gone: [{ package: '@macadam/cache', what: 'unit `{look}`', after: '0.0.0' }] };
    expect(what(catalogueOf([cache], [left])), 'nor later').toEqual(['unit `1` of metric `macadam.cache.reads`']);
  });

  it('are refused unless a changeset of the package mentions them', () => {
    const { gone } = after({ unit: '1' });
    expect(unannounced(gone, () => 'The cache is faster now.')).toEqual([expect.stringContaining('`{read}`')]);
    expect(unannounced(gone, (owner) => (owner === '@macadam/cache' ? 'The unit is no longer `{read}`.' : ''))).toEqual(
      [],
    );
    expect(
      unannounced(gone, (owner) => (owner === '@macadam/http' ? 'The unit is no longer `{read}`.' : '')),
    ).toHaveLength(1);
  });

  it('a changeset counts only for packages in its front matter', () => {
    expect(mentionsPackage("---\n'@macadam/cache': minor\n---\n\ntext", '@macadam/cache')).toBe(true);
    expect(mentionsPackage('---\n"@macadam/cache": minor\n---\n\ntext', '@macadam/cache')).toBe(true);
    expect(mentionsPackage("---\n'@macadam/http': minor\n---\n\n'@macadam/cache': text", '@macadam/cache')).toBe(false);
  });
});

describe('descriptions of a package', () => {
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

  it('refuses a name in the sources that the catalogue does not contain', () => {
    const literals = ['macadam.cache.reads', 'macadam.outcome', 'macadam.cache.new'].map((name) => ({
      path: 'x.ts',
      name,
    }));
    expect(unknownNames(released, literals)).toEqual(['x.ts: macadam.cache.new is not in TELEMETRY of its package']);
  });

  it('the page contains everything, including removed names', () => {
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
