// Finds Chromium for the check of the documentation site: CHROMIUM, or one on PATH, or Debian's, unpacked into
// `.tools`.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackage } from './debian.ts';
import { onPath } from './toolchain.mjs';
import { root } from './workspace.ts';

/** The environment variables with which the check of the site finds it; empty if there is none. */
export async function findChromium(): Promise<Record<string, string>> {
  const given = process.env['CHROMIUM'] ?? ['chromium', 'chromium-browser', 'google-chrome'].flatMap(onPath)[0];
  if (given !== undefined) return { CHROMIUM: given };
  try {
    const { home, env } = await debianPackage('chromium');
    return {
      CHROMIUM: join(home, 'usr', 'lib', 'chromium', 'chromium'),
      CHROMIUM_LIBRARIES: env['LD_LIBRARY_PATH'] ?? '',
      ...fontSettings(home),
    };
  } catch (error) {
    console.log(
      `No Chromium, so the site is not checked in a browser: ${error instanceof Error ? error.message : error}`,
    );
    return {};
  }
}

/**
 * On a machine without fonts, makes those of the Debian package known through a configuration file, since they are not
 * in the usual place.
 */
function fontSettings(home: string): Record<string, string> {
  const folder = join(home, 'usr', 'share', 'fonts');
  if (existsSync('/etc/fonts/fonts.conf') || !existsSync(folder)) return {};
  const cache = join(root, '.tools', 'fonts');
  mkdirSync(cache, { recursive: true });
  const file = join(cache, 'fonts.conf');
  writeFileSync(file, `<fontconfig><dir>${folder}</dir><cachedir>${cache}</cachedir></fontconfig>\n`);
  return { FONTCONFIG_FILE: file };
}
