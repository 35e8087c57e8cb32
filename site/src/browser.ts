// Opens the site as people do, in Chromium: nothing fails, all can be read, search and navigation lead where they should.
import { chromium, type Page as Tab } from 'playwright-core';
import { contrastFaults } from './contrast.ts';

export interface Program {
  path: string;
  /** Folders of its libraries, where it was unpacked and not installed. */
  libraries: string;
}

const WIDE = { width: 1_280, height: 900 };
const NARROW = { width: 375, height: 700 };

/** How long one step may take before it counts as stuck; long, since it says nothing about how fast the machine is. */
const PATIENCE_MS = 120_000;

/** One of each kind: prose, wide tables, charts, lists of names, and what the reference consists of. */
const samples = [
  'index.html',
  'packages/resilience/index.html',
  'docs/http.html',
  'docs/errors.html',
  'docs/telemetry-catalogue.html',
  'docs/benchmarks/http.html',
  'docs/simulation/report.html',
  'architecture.html',
  'api/resilience/index.html',
  'api/resilience/functions/circuitBreaker.html',
  'api/resilience/interfaces/CircuitBreaker.html',
  'api/http/interfaces/HttpClientOptions.html',
  'api/core/classes/MacadamError.html',
];

const searches = [
  ['circuitBreaker', 'api/resilience/functions/circuitBreaker.html'],
  ['MAC_CIRCUIT_OPEN', 'docs/errors.html'],
] as const;

/** What is wrong with the site at `base`, one line each. */
export async function checkInBrowser(base: string, program: Program): Promise<string[]> {
  const browser = await chromium.launch({
    executablePath: program.path,
    // Its own sandbox needs rights that a container seldom gives; what it opens is ours, on loopback.
    args: ['--no-sandbox'],
    env: { ...process.env, ...(program.libraries === '' ? {} : { LD_LIBRARY_PATH: program.libraries }) },
    timeout: PATIENCE_MS,
  });
  const problems: string[] = [];
  try {
    const tab = await browser.newPage({ viewport: WIDE });
    tab.setDefaultTimeout(PATIENCE_MS);
    const report: Report = (problem) => problems.push(`${tab.url().slice(base.length)}: ${problem}`);
    listen(tab, report);
    for (const url of samples) {
      await open(tab, base + url);
      await checkLooks(tab, report);
    }
    await checkSearch(tab, base, report);
    // In a tab of its own, which does not remember what was open in the navigation on an earlier page.
    const fresh = await browser.newPage({ viewport: WIDE });
    fresh.setDefaultTimeout(PATIENCE_MS);
    listen(fresh, report);
    await checkNavigation(fresh, base);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  } finally {
    await browser.close();
  }
  return [...new Set(problems)];
}

type Report = (problem: string) => void;

async function checkLooks(tab: Tab, report: Report): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await tab.emulateMedia({ colorScheme });
    for (const fault of await tab.evaluate(contrastFaults)) report(`${colorScheme}: ${fault}`);
  }
  for (const size of [NARROW, WIDE]) {
    await tab.setViewportSize(size);
    const width = await tab.evaluate(() => document.documentElement.scrollWidth);
    if (width > size.width) report(`is ${width} px wide on a screen of ${size.width} px`);
  }
}

/** The first result is what was looked for, and leads there. */
async function checkSearch(tab: Tab, base: string, report: Report): Promise<void> {
  for (const [words, url] of searches) {
    await open(tab, base);
    await tab.click('#tsd-search-trigger');
    await tab.fill('#tsd-search-input', words);
    const result = tab.locator('#tsd-search-results a').first();
    await result.waitFor();
    await result.click();
    await tab.waitForURL(/\.html/);
    if (new URL(tab.url()).pathname !== `/${url}`) report(`is the first result for "${words}", not ${url}`);
  }
}

/** From the home page to the reference of a function, by the navigation alone. */
async function checkNavigation(tab: Tab, base: string): Promise<void> {
  await open(tab, base);
  const navigation = tab.locator('#tsd-nav-container');
  for (const title of ['Packages', '@macadam/cache', 'API', 'Functions']) {
    // At its left, where the arrow is; the words lead to the page.
    const summary = navigation.locator('summary:visible', { hasText: title }).first();
    await summary.click({ position: { x: 8, y: 12 } });
  }
  await navigation.locator('a:visible', { hasText: 'createCache' }).click();
  await tab.waitForURL('**/api/cache/functions/createCache.html');
}

/** What the console says, and what does not load, is reported. */
function listen(tab: Tab, report: Report): void {
  tab.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') report(message.text());
  });
  tab.on('pageerror', (error) => report(error.message));
  tab.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText;
    // What is still loading when the tab goes on to the next page is given up.
    if (reason !== 'net::ERR_ABORTED') report(`${request.url()} did not load: ${reason}`);
  });
  tab.on('response', (response) => {
    if (response.status() >= 400) report(`${response.url()} answers ${response.status()}`);
  });
}

/** Opens a page and waits until its script has made the navigation. */
async function open(tab: Tab, url: string): Promise<void> {
  await tab.goto(url);
  await tab.waitForSelector('#tsd-nav-container a', { state: 'attached' });
}
