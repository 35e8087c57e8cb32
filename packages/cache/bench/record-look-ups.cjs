// Preloaded into a program (`node --require`), notes every path it looks up in the file system, in order, in the file LOOK_UPS.
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');

const lookUps = [];
const noting =
  (original) =>
  (path, ...rest) => {
    if (typeof path === 'string') lookUps.push(path);
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
  fs[name] = Object.assign(noting(original), original);
  if (original.native) fs[name].native = noting(original.native);
}
syncBuiltinESMExports();
const { appendFileSync } = fs;
process.on('exit', () => appendFileSync(process.env.LOOK_UPS, lookUps.map((path) => `${path}\n`).join('')));
