// Requires each entry point named on the command line, as a CommonJS service does.
'use strict';
// Our own output counts as a resource as soon as somebody looks at it: look now, so that it is in both counts.
void [process.stdout, process.stderr];
for (const entry of process.argv.slice(2)) {
  const before = process.getActiveResourcesInfo().sort().join();
  const names = Object.keys(require(entry));
  const after = process.getActiveResourcesInfo().sort().join();
  if (names.length === 0) fail(`${entry} exports nothing`);
  if (after !== before) fail(`requiring ${entry} left something running: before [${before}], after [${after}]`);
}

/** @param {string} message */
function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
