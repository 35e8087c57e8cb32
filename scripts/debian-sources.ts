// Converts the package sources of this machine to those of another Debian release.

export interface SourcesFile {
  form: 'list' | 'sources';
  text: string;
}

/**
 * The sources in a file that are for the release of this machine (`own`), with `suite` in its place. Sources of
 * updates, security fixes and third parties are left out: their suites have other names, or are for this release only.
 */
export function sourcesForRelease(suite: string, own: string, file: string, text: string): SourcesFile[] {
  if (file.endsWith('.list')) {
    const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
    return lines
      .filter((words) => words[0] === 'deb' && words.includes(own))
      .map((words) => ({ form: 'list', text: `${words.map((word) => (word === own ? suite : word)).join(' ')}\n` }));
  }
  if (!file.endsWith('.sources')) return [];
  return text.split(/\n\s*\n/).flatMap((stanza): SourcesFile[] => {
    const suites = /^Suites:(.*)$/m.exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
    if (!suites.includes(own)) return [];
    return [{ form: 'sources', text: `${stanza.trim().replace(/^Suites:.*$/m, `Suites: ${suite}`)}\n` }];
  });
}
