import { format } from 'node:util';
import { describe, expect, it } from 'vitest';
import { formatText } from './format-text.ts';

const json = (value: unknown): string => JSON.stringify(value);

describe('formatText', () => {
  it.each([
    ['%s is %d years', ['Ada', 36]],
    ['%i of %f', ['12.7', '1.5']],
    ['100%% of %s', ['it']],
    ['%s', []],
    ['%d', ['x']],
    ['%j', [{ a: 1 }]],
    ['%s %s', ['one']],
  ])('fills %j like util.format', (template, args) => {
    expect(formatText(template, args, json)).toBe(format(template, ...args));
  });

  it('ignores arguments without a placeholder', () => {
    expect(formatText('a %s', ['b', 'c'], json)).toBe('a b');
  });
});
