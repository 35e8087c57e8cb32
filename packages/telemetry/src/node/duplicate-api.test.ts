import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { duplicateApiWarning } from './duplicate-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'macadam-api-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('duplicateApiWarning', () => {
  it('returns nothing for one copy, or if the application has none', () => {
    expect(duplicateApiWarning(import.meta.url)).toBeUndefined();
    expect(duplicateApiWarning(join(folder, 'package.json'))).toBeUndefined();
  });

  it('names both copies with their versions', () => {
    const other = join(folder, 'node_modules', '@opentelemetry', 'api');
    mkdirSync(join(other, 'build'), { recursive: true });
    writeFileSync(
      join(other, 'package.json'),
      JSON.stringify({ name: '@opentelemetry/api', version: '1.4.0', main: 'build/index.js' }),
    );
    writeFileSync(join(other, 'build', 'index.js'), '');
    const found = duplicateApiWarning(join(folder, 'package.json'));
    expect(found).toContain('1.4.0');
    expect(found).toContain('1.10.0');
  });
});
