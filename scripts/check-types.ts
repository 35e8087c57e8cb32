// Type-checks projects as `tsc -p` does, `check-types.ts <tsconfig.json>...`, but every file once. Those with the same options are one
// program; and what one imports from another is checked there, with the options for which it was written.
import { relative } from 'node:path';
import ts from 'typescript';
import { root } from './workspace.ts';

interface Project {
  files: string[];
  options: ts.CompilerOptions;
  errors: ts.Diagnostic[];
}

const problems: ts.Diagnostic[] = [];
const sources = new Map<string, ts.SourceFile | undefined>();
const checked = new Set<string>();
/** By their options. */
const projects = new Map<string, Project>();
for (const path of process.argv.slice(2)) add(parse(path));
const listed = new Set([...projects.values()].flatMap(({ files }) => files));
for (const project of projects.values()) check(project);
const text = ts.formatDiagnostics(ts.sortAndDeduplicateDiagnostics(problems), {
  getCurrentDirectory: () => root,
  getCanonicalFileName: (name) => name,
  getNewLine: () => '\n',
});
process.stdout.write(text);
process.exitCode = problems.length === 0 ? 0 : 1;

function parse(path: string): Project {
  const host = {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (problem: ts.Diagnostic) => void problems.push(problem),
  };
  const config = ts.getParsedCommandLineOfConfigFile(path, { noEmit: true }, host);
  if (config === undefined) throw new Error(`${relative(root, path)} cannot be read`);
  return { files: config.fileNames, options: config.options, errors: config.errors };
}

function add(project: Project): void {
  const { configFilePath: _, ...options } = project.options;
  const key = JSON.stringify(options);
  const same = projects.get(key);
  if (same === undefined) projects.set(key, project);
  else {
    same.files.push(...project.files);
    same.errors.push(...project.errors);
  }
}

function check({ files, options, errors }: Project): void {
  const program = ts.createProgram({ rootNames: files, options, host: hostFor(options) });
  problems.push(...errors, ...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics());
  const own = new Set(files);
  for (const file of program.getSourceFiles()) {
    const { fileName } = file;
    if (program.isSourceFileFromExternalLibrary(file) || program.isSourceFileDefaultLibrary(file)) continue;
    // What no project lists is checked by the first that comes upon it.
    if (checked.has(fileName) || (listed.has(fileName) && !own.has(fileName))) continue;
    checked.add(fileName);
    problems.push(...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file));
    if (options.declaration === true) problems.push(...program.getDeclarationDiagnostics(file));
  }
}

/** Shares with the hosts before it what they have parsed in the same way. */
function hostFor(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (fileName, how, ...rest) => {
    const key = `${fileName} ${JSON.stringify(how)}`;
    if (!sources.has(key)) sources.set(key, read(fileName, how, ...rest));
    return sources.get(key);
  };
  return host;
}
