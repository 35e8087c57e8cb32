// Checks the bounds of any window of time by brute force, with any number of requests: `node --conditions=@macadam/source bench/any-window.ts [STEPS] [SEED]`.
import { check, scenarios } from '../test/any-window.ts';

const [steps = '1000000', seed = '1'] = process.argv.slice(2);
let broken = 0;
for (const scenario of scenarios) {
  const { findings, decisions } = await check(scenario, Number(steps) / scenarios.length, Number(seed));
  const tight = Math.max(...findings.map(({ most, atMost }) => most / atMost));
  const over = findings.filter(({ most, atMost }) => most > atMost + 1e-6);
  broken += over.length;
  const verdict = over.length === 0 ? 'holds' : `BROKEN: ${JSON.stringify(over)}`;
  console.log(`${scenario.name}: ${decisions} decisions, up to ${(tight * 100).toFixed(1)} % of the bound, ${verdict}`);
}
process.exitCode = broken === 0 ? 0 : 1;
