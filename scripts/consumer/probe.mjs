// Imports each entry point named on the command line. An import must start nothing: no timer, no socket, no output.
// Accessing process.stdout makes it count as a resource, so it is accessed before the first count.
void [process.stdout, process.stderr];
for (const entry of process.argv.slice(2)) {
  const before = process.getActiveResourcesInfo().sort().join();
  const names = Object.keys(await import(entry));
  await new Promise((done) => setImmediate(done));
  const after = process.getActiveResourcesInfo().sort().join();
  if (names.length === 0) fail(`${entry} exports nothing`);
  if (after !== before) fail(`importing ${entry} left something running: before [${before}], after [${after}]`);
}

/** @param {string} message */
function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
