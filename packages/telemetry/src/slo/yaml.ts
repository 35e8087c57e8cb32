type Yaml = string | number | boolean | readonly Yaml[] | { readonly [name: string]: Yaml };

const PLAIN = /^[A-Za-z][\w./ -]*\w$/;
const RESERVED = /^(?:true|false|yes|no|on|off|null|y|n)$/i;

/** Writes YAML in block style. Strings that YAML could read as another type are quoted as in JSON, which YAML 1.2 allows. */
export function toYaml(value: Yaml, indent: string = ''): string {
  if (Array.isArray(value)) {
    return (value as readonly Yaml[]).map((item) => `${indent}- ${toYaml(item, `${indent}  `).trimStart()}`).join('');
  }
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([name, child]) => {
        const nested = typeof child === 'object';
        return `${indent}${scalar(name)}:${nested ? `\n${toYaml(child, `${indent}  `)}` : ` ${scalar(child)}\n`}`;
      })
      .join('');
  }
  return `${indent}${scalar(value as string | number | boolean)}\n`;
}

function scalar(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  return PLAIN.test(value) && !RESERVED.test(value) ? value : JSON.stringify(value);
}
