import { readFileSync, realpathSync } from 'node:fs';
// As a whole: bundlers rewrite an imported `createRequire`, and it collides with the one that they are told to put on top.
import * as modules from 'node:module';
import { dirname, join } from 'node:path';

const NAME = '@opentelemetry/api';

/**
 * Says so when the application finds another copy of the OpenTelemetry API than this package does. With two copies of
 * different versions, spans and metrics of one half go nowhere, and nothing else tells.
 *
 * @param from a file or folder of the application.
 */
export function apiCopies(from: string = join(process.cwd(), 'package.json')): string | undefined {
  const ours = copyFor(import.meta.url);
  const theirs = copyFor(from);
  if (ours === undefined || theirs === undefined || ours.folder === theirs.folder) return undefined;
  return (
    `Two copies of ${NAME} are installed: ${theirs.version} in ${theirs.folder} for the application and ` +
    `${ours.version} in ${ours.folder} for @macadam/telemetry. Install one version, such as by an override.`
  );
}

function copyFor(from: string): { folder: string; version: string } | undefined {
  try {
    // The package does not export its package.json: the nearest one above the entry point is looked for.
    let folder = dirname(realpathSync(modules.createRequire(from).resolve(NAME)));
    for (let level = 0; level < 5; level++, folder = dirname(folder)) {
      const manifest = readManifest(join(folder, 'package.json'));
      if (manifest?.name === NAME) return { folder, version: manifest.version ?? 'of unknown version' };
    }
  } catch {
    // Not installed, or not to be read.
  }
  return undefined;
}

function readManifest(path: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string };
  } catch {
    return undefined;
  }
}
