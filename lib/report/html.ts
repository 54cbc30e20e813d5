// One self-contained HTML page: no script, no file beside it, readable in print and in the dark.

/** A piece of the page. */
export interface Section {
  /** Heading, plain text. */
  heading: string;
  /** Content, HTML. */
  html: string;
}

/** Text made safe for HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A table; cells are plain text, columns after the first are right-aligned. */
export function htmlTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join('')}</tr>`;
  return `<div class="wide"><table><thead>${cells('th', head)}</thead><tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table></div>`;
}

const style = `
:root { color-scheme: light dark; --ink: #1f2933; --faint: #52606d; --paper: #f8fafc; --card: #ffffff; --line: #d9e2ec; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --faint: #9aa5b1; --paper: #11161c; --card: #1a212a; --line: #323f4b; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 940px; margin: 0 auto; padding: 40px 20px 64px; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3em; } h2 { font-size: 1.25rem; margin: 0 0 .8em; }
p.lead { color: var(--faint); margin: 0 0 2em; max-width: 62ch; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 24px; margin: 0 0 24px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 7px 12px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; color: var(--faint); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr)); gap: 28px 32px; }
figure { margin: 0; } figure img { width: 100%; height: auto; border-radius: 6px; } figure table { margin-top: 6px; font-size: .9em; }
figure th, figure td { text-align: left; padding: 3px 8px; border: 0; } figure td:last-child { width: 100%; } figure em { color: var(--faint); }
svg { max-width: 100%; height: auto; display: block; border-radius: 6px; margin: 8px 0; } footer { color: var(--faint); font-size: .85rem; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .9em; }`;

/**
 * The page as text.
 *
 * @param page.title     heading, plain text
 * @param page.lead      first paragraph, HTML
 * @param page.sections  cards, in order
 * @param page.footer    last line, plain text
 */
export function htmlPage(page: { title: string; lead: string; sections: readonly Section[]; footer: string }): string {
  const sections = page.sections.map(
    ({ heading, html }) => `<section><h2>${escapeHtml(heading)}</h2>${html}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(page.title)}</title><style>${style}</style></head>
<body><main>
<h1>${escapeHtml(page.title)}</h1>
<p class="lead">${page.lead}</p>
${sections.join('\n')}
<footer>${escapeHtml(page.footer)}</footer>
</main></body>
</html>
`;
}
