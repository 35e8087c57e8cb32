import { expect, it } from 'vitest';
import { sourcesForRelease } from '../debian-sources.ts';

const stanzas = `Types: deb
URIs: http://mirror.internal/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: http://mirror.internal/debian-security
Suites: bookworm-security
Components: main
`;

it('converts the stanza of the own release to the other one, with its key', () => {
  expect(sourcesForRelease('trixie', 'bookworm', 'debian.sources', stanzas)).toEqual([
    {
      form: 'sources',
      text: `Types: deb
URIs: http://mirror.internal/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/some.gpg
`,
    },
  ]);
});

it('converts lines of a .list file, with their options', () => {
  const lines = `# deb http://old.internal/debian bookworm main
deb [signed-by=/some.gpg] http://mirror.internal/debian bookworm main contrib
deb-src http://mirror.internal/debian bookworm main
deb http://mirror.internal/debian-security bookworm-security main
`;
  expect(sourcesForRelease('trixie', 'bookworm', 'sources.list', lines)).toEqual([
    { form: 'list', text: 'deb [signed-by=/some.gpg] http://mirror.internal/debian trixie main contrib\n' },
  ]);
});

it('ignores other files and other releases', () => {
  expect(sourcesForRelease('trixie', 'bookworm', 'debian.sources.disabled', stanzas)).toEqual([]);
  expect(sourcesForRelease('trixie', 'noble', 'debian.sources', stanzas)).toEqual([]);
  expect(sourcesForRelease('trixie', '', 'debian.sources', stanzas)).toEqual([]);
});
