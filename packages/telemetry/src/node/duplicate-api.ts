import { readFileSync, realpathSync } from 'node:fs';
// The whole module: bundlers rewrite an imported `createRequire`, which then collides with the one in their banner.
import * as modules from 'node:module';
import { dirname, join } from 'node:path';

const API = '@opentelemetry/api';

/**
 * Returns a warning if the application resolves another copy of the OpenTelemetry API than this package. With copies of
 * different versions, the spans and metrics of one of them are lost, and nothing else reports that.
 *
 * @param applicationPath - a file or folder of the application
 */
export function duplicateApiWarning(applicationPath: string = join(process.cwd(), 'package.json')): string | undefined {
  const own = installedApi(import.meta.url);
  const application = installedApi(applicationPath);
  if (own === undefined || application === undefined || own.folder === application.folder) return undefined;
  return (
    `Two copies of ${API} are installed: ${application.version} in ${application.folder} for the application and ` +
    `${own.version} in ${own.folder} for @macadam/telemetry. Install one version, such as by an override.`
  );
}

function installedApi(from: string): { folder: string; version: string } | undefined {
  try {
    // The package does not export its package.json, so it is searched for above the entry point.
    let folder = dirname(realpathSync(modules.createRequire(from).resolve(API)));
    for (let level = 0; level < 5; level++, folder = dirname(folder)) {
      const manifest = readManifest(join(folder, 'package.json'));
      if (manifest?.name === API) return { folder, version: manifest.version ?? 'of unknown version' };
    }
  } catch {
    // Not installed, or not readable.
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
