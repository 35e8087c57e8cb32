// What apt is told about where packages come from, for another release than the machine's.

export interface SourcesFile {
  form: 'list' | 'sources';
  text: string;
}

/**
 * Of a file of sources, those of the machine's own release (`own`), with the name of another one in its place. Without those of updates
 * and fixes, whose suites have names of their own, and of anybody else, which are for this release only.
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
