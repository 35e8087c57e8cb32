// What TypeDoc is given: the entry points of all packages as one program, and the pages as its documents.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Application,
  type DocumentationEntryPoint,
  DocumentReflection,
  type ProjectReflection,
  ReflectionKind,
} from 'typedoc';
import ts from 'typescript';
import { root } from '../../scripts/workspace.ts';
import { modulesOf, packages } from './pages.ts';

/** A page whose Markdown is what the site shows. */
export interface Prepared {
  title: string;
  /** The file it comes from, from the root of the repository. */
  source: string;
  url: string;
  markdown: string;
}

/** Converts the packages and adds the pages; `readme` becomes the home page. */
export function convert(app: Application, pages: readonly Prepared[], readme: string): ProjectReflection {
  const project = app.converter.convert(entryPoints());
  for (const { title, url, markdown } of pages) {
    const document = new DocumentReflection(title, project, [{ kind: 'text', text: markdown }], { url });
    document.relevanceBoost = 8;
    project.addChild(document);
    project.registerReflection(document, undefined, undefined);
  }
  rank(project);
  project.readme = [{ kind: 'text', text: readme }];
  return project;
}

/** The search shows what is exported before the members of it, and last what a member says again of an inherited one. */
function rank(project: ProjectReflection): void {
  for (const reflection of project.getReflectionsByKind(ReflectionKind.All)) {
    if (!reflection.isDeclaration()) continue;
    if (reflection.inheritedFrom !== undefined) reflection.relevanceBoost = 0.1;
    else if (reflection.parent?.kindOf(ReflectionKind.Module) === true) reflection.relevanceBoost = 2;
  }
}

function entryPoints(): DocumentationEntryPoint[] {
  const modules = packages().flatMap(modulesOf);
  const settings = ts.parseJsonConfigFileContent(
    { ...(JSON.parse(readFileSync(join(root, 'tsconfig.base.json'), 'utf8')) as object), files: [] },
    ts.sys,
    root,
  );
  const program = ts.createProgram(
    modules.map(({ file }) => file),
    { ...settings.options, types: ['node'], typeRoots: [join(root, 'node_modules', '@types')] },
  );
  return modules.map(({ module, file }) => {
    const sourceFile = program.getSourceFile(file);
    if (sourceFile === undefined) throw new Error(`${module} has no ${file}`);
    return { displayName: module, program, sourceFile };
  });
}
