import { describe, expect, test } from 'vitest';
import { compare, least, updated, type Budgets } from '../budgets/compare.ts';
import { kindOf } from '../budgets/kind.ts';

const budgets: Budgets = {
  ...{ peek: { bytes: 0, instructions: 1_000 }, call: { bytes: 4_000, instructions: 20_000 } },
};

describe('comparison of a count with its budget', () => {
  test.each([
    ['the same', { bytes: 4_000, instructions: 20_000 }, 0],
    ['less', { bytes: 10, instructions: 10 }, 0],
    ['just within the tolerance', { bytes: 4_216, instructions: 21_100 }, 0],
    ['too many bytes', { bytes: 4_217, instructions: 20_000 }, 1],
    ['too many instructions', { bytes: 4_000, instructions: 21_101 }, 1],
  ])('%s', (_, { bytes, instructions }, failures) => {
    const measured = { bytes: { peek: 0, call: bytes }, instructions: { peek: 1_000, call: instructions } };
    expect(compare(budgets, measured).failures).toHaveLength(failures);
  });

  test('a difference of a few bytes passes, so that one memory page more or less does not fail', () => {
    const measured = { bytes: { peek: 16, call: 4_000 } };
    expect(compare(budgets, measured).failures).toEqual([]);
  });

  test('a path that was not counted is ignored', () => {
    expect(compare(budgets, {}).failures).toEqual([]);
    expect(compare(budgets, { bytes: { peek: 0, call: 1 } }).failures).toEqual([]);
  });

  test('a path without a budget fails, and so does a budget without a path', () => {
    const { failures } = compare(budgets, { bytes: { peek: 0, verify: 10 } });
    expect(failures).toEqual(['"call" has a budget but was not counted', '"verify" has no budget']);
  });
});

test('the lower of two counts is used, for paths that both have counted', () => {
  const one = { bytes: { peek: 2, call: 5 }, instructions: { peek: 9 } };
  expect(least(one, { bytes: { peek: 3, call: 4 } })).toEqual({ bytes: { peek: 2, call: 4 } });
});

describe('an update of budgets', () => {
  test('keeps instructions that could not be counted, and removes paths that no longer exist', () => {
    const after = updated({ here: budgets }, 'here', { bytes: { call: 3_999.6, verify: 10 } });
    expect(after).toEqual({
      here: { call: { bytes: 4_000, instructions: 20_000 }, verify: { bytes: 10, instructions: 0 } },
    });
  });

  test('of one kind of machine keeps the budgets of the others', () => {
    const counted = { bytes: { peek: 0 }, instructions: { peek: 900.4 } };
    expect(updated({ there: budgets }, 'here', counted)).toEqual({
      ...{ here: { peek: { bytes: 0, instructions: 900 } }, there: budgets },
    });
  });
});

describe('the kind of a machine', () => {
  test.each([
    ['its Node, architecture and vectors', 'x64', ['sse4_2', 'avx', 'avx2', 'avx512f'], 'Node 24.1.0, x64, avx2'],
    ['older vectors', 'x64', ['avx'], 'Node 24.1.0, x64, avx'],
    ['none that are known', 'x64', [], 'Node 24.1.0, x64, sse'],
    ['another architecture', 'arm64', ['asimd'], 'Node 24.1.0, arm64'],
  ])('%s', (_, arch, flags, kind) => {
    expect(kindOf('v24.1.0', arch, new Set(flags))).toBe(kind);
  });
});
