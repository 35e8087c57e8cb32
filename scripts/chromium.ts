// Chromium, in which the documentation site is looked at: CHROMIUM, else one on PATH, else Debian's, unpacked into the folder of tools.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackage } from './debian.ts';
import { onPath } from './toolchain.mjs';
import { root } from './workspace.ts';

/** The variables in which the site's check finds it; none if there is none and none can be brought. */
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
    console.log(`No Chromium, so nobody looks at the site: ${error instanceof Error ? error.message : error}`);
    return {};
  }
}

/** A machine without fonts gets those that came along; where they are is told by a file, since they are not where they belong. */
function fontSettings(home: string): Record<string, string> {
  const folder = join(home, 'usr', 'share', 'fonts');
  if (existsSync('/etc/fonts/fonts.conf') || !existsSync(folder)) return {};
  const cache = join(root, '.tools', 'fonts');
  mkdirSync(cache, { recursive: true });
  const file = join(cache, 'fonts.conf');
  writeFileSync(file, `<fontconfig><dir>${folder}</dir><cachedir>${cache}</cachedir></fontconfig>\n`);
  return { FONTCONFIG_FILE: file };
}
