// The home page: the beginning of the README on one screen, where each kind of reader goes on, and the rest of the README.

/** What the README has to begin with: a heading, a paragraph, a block of code; and further down, blocks of commands. */
const BEGINNING = /^# (?<name>.+)\n+(?<lead>[^#`]+?)\n+(?<example>```ts\n[^]*?\n```)\n+(?<rest>[^]*)$/;
const COMMANDS = /^```sh\n[^]*?\n```$/gm;

const readers = `
<div class="readers">
<div>

### You build a service

- [Install it, and the first call](packages/http/index.html)
- [A bad day, with and without](examples/places/index.html)
- [When a dependency fails](docs/resilience.html)
- [Test how your service behaves then](packages/testkit/index.html)

</div>
<div>

### You build the platform

- [How it is made](architecture.html), and [why](docs/decisions/index.html)
- [What it costs, compared with other libraries](docs/benchmarks/index.html)
- [What it does in an outage](docs/simulation/report.html)
- [Threats to authentication](docs/auth-threats.html)

</div>
<div>

### You are on call

- [What an error means, and what to do](docs/errors.html)
- [Metrics, spans and log lines](docs/telemetry-catalogue.html)
- [Objectives and alerts](docs/telemetry.html)
- [How a circuit opens and closes](packages/resilience/index.html)

</div>
</div>
`;

export function homePage(readme: string): string {
  const parts = BEGINNING.exec(readme)?.groups;
  if (parts === undefined) throw new Error('README.md does not begin with a heading, a paragraph and an example.');
  const { name, lead, example, rest = '' } = parts;
  const [install, commands] = rest.match(COMMANDS) ?? [];
  if (install === undefined || commands === undefined) throw new Error('README.md has no two blocks of commands.');
  const hero = `<div class="hero">\n<div>\n\n# ${name}\n\n${lead}\n\n${install}\n\n${commands}\n\n</div>\n<div>\n\n${example}\n\n</div>\n</div>`;
  return `${hero}\n${readers}\n${rest}`;
}
