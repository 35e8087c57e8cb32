// Runs inside a page: which of its texts are too pale for their ground. By WCAG 2.2, success criterion 1.4.3.

/**
 * Texts with less contrast than 4.5 to 1, or 3 to 1 where they are large; each colour once. Has to be one function without imports:
 * it is handed to the browser as text.
 */
export function contrastFaults(): string[] {
  const channels = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (color: string): number => {
    const [r = 0, g = 0, b = 0] = channels(color).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const grounds = new Map<Element, string>();
  const groundOf = (element: Element | null): string => {
    if (element === null) return 'rgb(255, 255, 255)';
    const known = grounds.get(element);
    if (known !== undefined) return known;
    const color = getComputedStyle(element).backgroundColor;
    const ground = (channels(color)[3] ?? 1) > 0.5 ? color : groundOf(element.parentElement);
    grounds.set(element, ground);
    return ground;
  };
  const seen = new Set<string>();
  const faults = new Map<string, string>();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
    const element = text.parentElement;
    if (element === null || text.textContent?.trim() === '') continue;
    // Of the thousands of words in code, those of one colour and place are the same to the eye.
    const kind = `${element.localName}.${element.className} in ${element.parentElement?.localName}.${element.parentElement?.className}`;
    if (seen.has(kind) || element.closest('svg, script, style') !== null || !element.checkVisibility()) continue;
    seen.add(kind);
    const { color, fontSize, fontWeight } = getComputedStyle(element);
    const ground = groundOf(element);
    const [light = 0, dark = 0] = [luminance(color), luminance(ground)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const px = Number.parseFloat(fontSize);
    const large = px >= 24 || (px >= 18.66 && Number(fontWeight) >= 700);
    if (ratio >= (large ? 3 : 4.5)) continue;
    const what = `${color} on ${ground}`;
    if (!faults.has(what))
      faults.set(what, `"${text.textContent?.trim().slice(0, 40)}": ${what} is ${ratio.toFixed(1)} to 1`);
  }
  return [...faults.values()];
}
