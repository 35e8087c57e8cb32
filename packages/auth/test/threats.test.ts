// Checks docs/auth-threats.md: the tests it names exist, and it covers every known advisory.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../', import.meta.url);
const page = readFileSync(new URL('../../docs/auth-threats.md', root), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| threat') && !line.startsWith('| ---'))
  .map((line) => line.split(' | '));

/** Whether the title of a test, group or row contains the name; a case such as A1 is the prefix of a title. */
function hasTest(file: string, name: string): boolean {
  const text = readFileSync(new URL(file, root), 'utf8');
  // A title is a string followed by a function; that of a row is any string.
  const named = [...text.matchAll(/(['"`])((?:(?!\1).)*)\1(,\s*(?:async\s*)?\()?/g)];
  return named.some(([, , title = '', does]) =>
    /^A\d+$/.test(name) ? does !== undefined && title.startsWith(`${name}:`) : title.includes(name),
  );
}

/** Advisories on libraries that verify tokens or decide on permissions, as far as they are public. */
const KNOWN = [
  'CVE-2022-23529',
  'CVE-2022-23539',
  'CVE-2022-23540',
  'CVE-2022-23541',
  'GHSA-869p-cjfg-cm3x',
  'CVE-2022-36083',
  'CVE-2024-28176',
  'CVE-2023-48223',
  'CVE-2025-30144',
  'CVE-2026-34950',
  'CVE-2026-35039',
  'CVE-2026-35040',
  'CVE-2026-35041',
  'CVE-2026-35042',
  'GHSA-ww5h-9m49-7xx4',
  'GHSA-g3jj-5cmm-3hxx',
  'GHSA-8wpc-h4q6-8fxv',
  'GHSA-gmvf-9v4p-v8jc',
  'GHSA-687g-22h4-j4w4',
  'CVE-2023-48238',
  'CVE-2026-22817',
  'CVE-2026-22818',
  'GHSA-3vhc-576x-3qv4',
  'CVE-2026-1774',
];

describe('docs/auth-threats.md', () => {
  it.each(rows)('names existing tests for: %s', (_threat, _known, tests = '') => {
    const files = [...tests.matchAll(/`(test\/[\w.-]+)`/g)].map(([, file]) => file!);
    expect(files).not.toEqual([]);
    const [named = ''] = tests.split(': `');
    // Some rows name whole files.
    const names = named.startsWith('`') ? [] : named.split(',').map((name) => name.trim());
    for (const name of names)
      expect(
        files.some((file) => hasTest(file, name)),
        name,
      ).toBe(true);
    // Each named file has one of the tests.
    for (const file of files) expect(names.length === 0 || names.some((name) => hasTest(file, name)), file).toBe(true);
  });

  it.each(Array.from({ length: 33 }, (_, n) => `A${n + 1}`))('has a test for the case %s', (name) => {
    expect(
      readdirSync(new URL('test/', root)).some((file) => file.endsWith('.test.ts') && hasTest(`test/${file}`, name)),
    ).toBe(true);
  });

  it.each(KNOWN)('mentions %s', (advisory) => {
    expect(rows.some(([, known]) => known?.includes(advisory))).toBe(true);
  });
});
