import { defineConfig } from 'tsup';

/** The one build recipe. Each package passes its entries, which are its subpath exports. */
export function library(entry: Record<string, string> = { index: 'src/index.ts' }): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry,
    format: 'esm',
    target: 'node22',
    platform: 'node',
    dts: true,
    clean: true,
    sourcemap: true,
    splitting: true,
    treeshake: true,
    removeNodeProtocol: false,
    tsconfig: 'tsconfig.build.json',
  });
}
