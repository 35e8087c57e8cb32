// Prints the telemetry descriptions of the packages as JSON. Runs with the condition @macadam/source, so that no build
// is needed; started by scripts/catalogue.ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TelemetryDescription } from '../../packages/core/src/telemetry-names.ts';
import { membersOf } from '../workspace.ts';

const all: (TelemetryDescription & { version: string })[] = [];
for (const { folder, manifest } of membersOf('packages')) {
  const file = join(folder, 'src', 'instruments.ts');
  if (!existsSync(file)) continue;
  const { TELEMETRY } = (await import(pathToFileURL(file).href)) as { TELEMETRY?: TelemetryDescription };
  if (TELEMETRY === undefined) throw new Error(`${file} exports no TELEMETRY; CONTRIBUTING.md says what belongs there`);
  if (TELEMETRY.scope !== manifest.name) throw new Error(`${file}: TELEMETRY.scope is not ${manifest.name}`);
  all.push({ ...TELEMETRY, version: manifest.version });
}
process.stdout.write(JSON.stringify(all));
