// `npm run docs`: makes the site; `--serve [port]` shows it to a browser on this machine, `--check` looks for what is wrong with it.
import { pages as markdownFiles } from '../../scripts/docs-snippets/pages.ts';
import { filesBelow } from '../../scripts/workspace.ts';
import { checkInBrowser } from './browser.ts';
import { buildSite, out } from './build.ts';
import { checkExports, checkPages, checkSources } from './check.ts';
import { allPages, packages, read } from './pages.ts';
import { serve } from './serve.ts';

const args = process.argv.slice(2);
await buildSite();
console.log(`The site: ${filesBelow(out, (path) => path.endsWith('.html')).length} pages in ${out}`);
if (args[0] === '--check') process.exitCode = await check();
else if (args[0] === '--serve') await show(Number(args[1] ?? 0));
else console.log('To look at it: npm run docs -- --serve, or open its index.html.');

async function check(): Promise<number> {
  const problems = [
    ...checkPages(out),
    ...packages().flatMap(({ short }) => checkExports(out, read(`packages/${short}/api.md`))),
    ...checkSources(markdownFiles(), allPages()),
  ];
  const path = process.env['CHROMIUM'] ?? '';
  if (path !== '') {
    const serving = await serve(out);
    problems.push(...(await checkInBrowser(serving.url, { path, libraries: process.env['CHROMIUM_LIBRARIES'] ?? '' })));
    await serving.close();
  }
  for (const problem of problems) console.error(problem);
  return problems.length === 0 ? 0 : 1;
}

async function show(port: number): Promise<void> {
  const { url } = await serve(out, port);
  console.log(`Open ${url} in a browser; Ctrl-C ends this.`);
}
