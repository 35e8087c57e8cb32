// `import-time.ts SPECIFIER`: prints how long importing a package takes in a process that has loaded nothing else.
const [specifier = ''] = process.argv.slice(2);
const cpu = process.cpuUsage();
const startedAt = performance.now();
await import(specifier);
const ms = performance.now() - startedAt;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1_000 }));
process.exit(0);
