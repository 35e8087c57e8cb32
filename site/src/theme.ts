// How the site looks and where its pages stand, as far as that differs from what TypeDoc does by itself.
import {
  BaseRouter,
  DefaultTheme,
  DefaultThemeRenderContext,
  JSX,
  type NavigationElement,
  type ProjectReflection,
  type Reflection,
  ReflectionKind,
} from 'typedoc';
import { type Entry, navigation, referenceUrl } from './pages.ts';

/** Pages stand where their files do, and every exported name at a place that tells its package and kind. */
export class Router extends BaseRouter {
  protected override getIdealBaseName(reflection: Reflection): string {
    if (reflection.isDocument()) return withoutExtension(String(reflection.frontmatter['url']));
    if (reflection.kindOf(ReflectionKind.Module)) return withoutExtension(referenceUrl(reflection.name));
    const [module, ...names] = pathOf(reflection).map(({ name }) => name);
    const folder = referenceUrl(module ?? '').replace(/index\.html$/, '');
    const kind = ReflectionKind.pluralString(reflection.kind).toLowerCase().replace(' ', '-');
    return `${folder}${kind}/${names.map((name) => this.getUrlSafeName(name)).join('.')}`;
  }
}

export class Theme extends DefaultTheme {
  override ContextClass: typeof DefaultThemeRenderContext = Context;

  /** The order of `navigation()`, with what TypeDoc has below each entry point. */
  override buildNavigation(project: ProjectReflection): NavigationElement[] {
    const made = new Map(allOf(super.buildNavigation(project)).map((element) => [element.path, element]));
    const elementOf = (entry: Entry): NavigationElement => {
      if (entry.kind === 'reference') return { ...made.get(referenceUrl(entry.module)), text: entry.title };
      const children = entry.pages.length === 0 ? {} : { children: entry.pages.map(elementOf) };
      return { text: entry.title, ...(entry.kind === 'page' ? { path: entry.url } : {}), ...children };
    };
    return navigation().map(elementOf);
  }
}

class Context extends DefaultThemeRenderContext {
  /** The way to a page through the navigation, which is not that of the files. */
  override breadcrumbs = (reflection: Reflection): JSX.Element => {
    const [first, ...below] = pathOf(reflection);
    const url = first === undefined ? '' : this.router.getFullUrl(first);
    const steps = [
      ...trailTo(url, navigation()).map((entry) => ({ text: entry.title, url: urlOf(entry) })),
      ...below.map((one) => ({ text: one.name, url: this.router.getFullUrl(one) })),
    ];
    const items = steps.map(({ text, url: to }, i) => {
      const last = i === steps.length - 1;
      const content = last || to === undefined ? text : JSX.createElement('a', { href: this.relativeURL(to) }, text);
      return JSX.createElement('li', last ? { 'aria-current': 'page' } : null, content);
    });
    return JSX.createElement('ul', { class: 'tsd-breadcrumb', 'aria-label': 'Breadcrumb' }, ...items);
  };
}

/** From the entry point, or the page, down to the reflection. */
function pathOf(reflection: Reflection): Reflection[] {
  const { parent } = reflection;
  return parent === undefined ? [] : [...pathOf(parent), reflection];
}

function trailTo(url: string, entries: readonly Entry[]): Entry[] {
  for (const entry of entries) {
    if (urlOf(entry) === url) return [entry];
    const below = entry.kind === 'reference' ? [] : trailTo(url, entry.pages);
    if (below.length > 0) return [entry, ...below];
  }
  return [];
}

function urlOf(entry: Entry): string | undefined {
  if (entry.kind === 'section') return undefined;
  return entry.kind === 'page' ? entry.url : referenceUrl(entry.module);
}

function allOf(elements: readonly NavigationElement[]): NavigationElement[] {
  return elements.flatMap((element) => [element, ...allOf(element.children ?? [])]);
}

function withoutExtension(url: string): string {
  return url.replace(/\.html$/, '');
}
