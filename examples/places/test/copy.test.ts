// The folder is meant to be copied: nothing in it may lean on where it lies.
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const folder = resolve(import.meta.dirname, '..');
const sources = ['src', 'test'].flatMap((part) =>
  readdirSync(join(folder, part)).map((name) => join(folder, part, name)),
);
const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<
  'dependencies' | 'devDependencies',
  Record<string, string>
>;

function importsOf(file: string): string[] {
  const pattern = /(?:\bfrom |\bimport\()'([^']+)'/g;
  return [...readFileSync(file, 'utf8').matchAll(pattern)].map(([, specifier = '']) => specifier);
}

/** `@scope/name/part` is of `@scope/name`. */
function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

describe('the folder can be copied', () => {
  test.each(sources.map((file) => relative(folder, file)))(
    '%s imports nothing outside the folder and its dependencies',
    (name) => {
      const file = join(folder, name);
      for (const specifier of importsOf(file).filter((specifier) => !isBuiltin(specifier))) {
        if (specifier.startsWith('.')) expect(sources).toContain(resolve(file, '..', specifier));
        else {
          expect({ ...manifest.dependencies, ...manifest.devDependencies }).toHaveProperty([packageOf(specifier)]);
        }
      }
    },
  );

  test('the service needs no development dependency', () => {
    const lookups = ['lookup.ts', 'lookup-cached.ts', 'lookup-fetch.ts', 'lookup-macadam.ts'];
    const service = [
      ...lookups,
      'admission.ts',
      'parent-process.ts',
      'parse-number.ts',
      'place.ts',
      'places.ts',
      'request-context.ts',
    ];
    const used = service.flatMap((name) => importsOf(join(folder, 'src', name)));
    const imported = used.filter((specifier) => !specifier.startsWith('.') && !isBuiltin(specifier));
    expect(Object.keys(manifest.dependencies)).toEqual(expect.arrayContaining(imported.map(packageOf)));
  });

  test('tsconfig.json extends no file outside the folder', () => {
    expect(readFileSync(join(folder, 'tsconfig.json'), 'utf8')).not.toContain('extends');
  });
});
