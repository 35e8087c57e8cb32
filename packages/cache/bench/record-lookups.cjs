// Preload with `node --require`: records every path that the program looks up in the file system, in order, in the file LOOKUPS.
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');

const lookups = [];
const recording =
  (original) =>
  (path, ...rest) => {
    if (typeof path === 'string') lookups.push(path);
    return original.call(fs, path, ...rest);
  };
for (const name of [
  'accessSync',
  'existsSync',
  'lstatSync',
  'openSync',
  'readFileSync',
  'readdirSync',
  'realpathSync',
  'statSync',
]) {
  const original = fs[name];
  fs[name] = Object.assign(recording(original), original);
  if (original.native) fs[name].native = recording(original.native);
}
syncBuiltinESMExports();
const { appendFileSync } = fs;
process.on('exit', () => appendFileSync(process.env.LOOKUPS, lookups.map((path) => `${path}\n`).join('')));
