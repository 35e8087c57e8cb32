// Type-checks projects like `tsc -p`, but every file only once: `check-types.ts <tsconfig.json>...`. Projects with the
// same options share a program, and a file that one project imports from another is checked with the options of its own
// project.
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
/** The projects by their options. */
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
    // A file that no project lists is checked by the first program that contains it.
    if (checked.has(fileName) || (listed.has(fileName) && !own.has(fileName))) continue;
    checked.add(fileName);
    problems.push(...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file));
    if (options.declaration === true) problems.push(...program.getDeclarationDiagnostics(file));
  }
}

/** A compiler host that reuses the files parsed by earlier hosts with the same settings. */
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
