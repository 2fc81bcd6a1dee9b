"""How the page looks: its style sheet, and which controls each tab shows."""

from __future__ import annotations

from swapae.apps.page.settings import ROLES

TABS = ("swap", "mix", "regions", "directions", "structure", "motion", "model", "about")

CSS = """
.gradio-container { max-width: 1360px !important; }
#title .html-container > div { display: flex; justify-content: space-between; }
#title h1 { margin: 0; font-size: 1.5rem; font-weight: 700; }
#theme { align-self: start; font-size: 1.3rem; line-height: 1; padding: 6px 10px; cursor: pointer; border-radius: 8px; }
/* While a result is made the last one stays, dimmed, beneath a thin line that moves; not if it takes but a moment. */
#result:has(.wrap.minimal:not(.hide)) img { opacity: 0.55; transition: opacity 0.2s 0.5s; }
#result .wrap.minimal > * { display: none; }
#result .wrap.minimal { background: none; padding: 0; }
#result .wrap.minimal:not(.hide)::after {
  content: ""; position: absolute; left: 0; bottom: 0; width: 30%; height: 3px; background: var(--color-accent);
  opacity: 0; animation: working 1.2s 0.5s ease-in-out infinite alternate;
}
@keyframes working { from { left: 0; opacity: 1; } to { left: 70%; opacity: 1; } }
/* The model's pictures are small: fill the frame, whatever the screen. */
.slot img { width: 100%; height: 100%; object-fit: contain; }
.problem { margin: 0; color: #b91c1c; font-weight: 600; }
.dark .problem { color: #fca5a5; }
.note:not(:has(p)) { display: none; }
/* Gradio's own subdued grey is too faint to read on white. */
.quiet { margin: 0 0 4px; font-size: 0.85rem; color: var(--body-text-color); opacity: 0.75; }
.quiet a { text-decoration: underline; }
.words { margin: 0; padding-left: 1.4em; list-style: decimal; font-size: 0.9rem; }
#controls .block span, #controls .block div { color: var(--body-text-color); }
#actions { flex-wrap: wrap; gap: 8px; align-items: center; }
#actions > button { flex: 0 1 auto; min-width: 64px; padding: 6px 12px; font-size: 0.9rem; }
#actions > * { width: auto; flex-grow: 0; }
.html-container { padding: 0 !important; }
#tabs { margin-bottom: -8px; }
#downloads .row, #painter .row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
#painter .row { margin-top: 6px; }
#downloads .row { flex-wrap: nowrap; white-space: nowrap; }
#film:not(:has(img)), #video:not(:has(video)), #film-file:not(:has(a)) { display: none; }
#film img { width: 100%; height: 100%; object-fit: contain; }
#downloads button, .presets button, #painter button {
  padding: 6px 12px; cursor: pointer; border-radius: 8px; font-size: 0.9rem;
  border: 1px solid var(--border-color-primary); background: var(--button-secondary-background-fill);
  color: var(--body-text-color);
}
#page button:focus-visible, #painter canvas:focus-visible { outline: 2px solid var(--color-accent); }
.pairs, .steps, .presets { display: flex; flex-wrap: wrap; gap: 12px; }
.steps, .presets { gap: 6px; }
.pairs button, .steps button {
  display: flex; gap: 3px; padding: 3px; cursor: pointer;
  border: 2px solid var(--border-color-primary); border-radius: 8px;
  background: var(--background-fill-secondary);
}
.pairs button:hover, .pairs button:focus-visible, .steps [aria-current] { border-color: var(--color-accent); }
.pairs img { display: block; width: 64px; height: 64px; margin: 0; border-radius: 5px; }
.steps button { padding: 1px; }
.steps img { display: block; width: 40px; height: 40px; margin: 0; border-radius: 5px; }
#painter canvas { width: 100%; border-radius: 8px; cursor: crosshair; touch-action: none; display: block; }
#painter label { display: inline-flex; gap: 6px; align-items: center; font-size: 0.9rem; }
#painter fieldset { border: 0; padding: 0; margin: 6px 0 0; display: grid; gap: 4px; }
#painter input[type=range] { width: 90px; }
/* The browser's own marks: Gradio's reset takes them away. */
#painter input[type=radio], #painter input[type=checkbox] { appearance: auto; }
#painter input { accent-color: var(--color-accent); }
.dark #painter { color-scheme: dark; }
#painter i { width: 14px; height: 14px; border-radius: 4px; border: 1px solid var(--border-color-primary); }
#cutter canvas { width: 100%; border-radius: 8px; cursor: crosshair; touch-action: none; display: block; }
.presets button { display: flex; flex-direction: column; align-items: center; gap: 4px; }
.presets button { flex: 1 1 88px; max-width: 128px; }
#controls .presets button { padding: 6px; font-size: 0.8rem; line-height: 1.2; }
.presets img { display: block; max-width: 100%; height: 56px; margin: 0; border-radius: 5px; object-fit: contain; }
.strip img { display: block; width: 56px; height: 56px; margin: 0; border-radius: 5px; }
.strip { display: flex; gap: 6px; }
.strip figure { margin: 0; text-align: center; font-size: 0.75rem; }
/* Of the further photographs' empty slots only the first is shown. */
#page .further:not(:has(img)) ~ .further:not(:has(img)) { display: none !important; }
#card textarea { font-family: ui-monospace, monospace; font-size: 0.8rem; }
#result { touch-action: pan-y; }
@media (max-width: 820px) {
  #page { flex-direction: column; flex-wrap: nowrap; }
  #page > * { width: 100%; }
  #results { order: 1; } #controls { order: 2; } #inputs { order: 3; }
  #result, #film { height: 96vw !important; }
  #downloads { flex: 1 1 100% !important; }
  #inputs { flex-direction: row; flex-wrap: wrap; }
  #inputs > * { flex: 1 1 44% !important; min-width: 130px !important; }
  .pairs img { width: 56px; height: 56px; }
}
"""


def tab_rules() -> str:
    """Style rules that show each tab's controls, and only them; the page opens with the first tab."""
    rules = ["#page .tabbed { display: none !important; }"]
    for tab in TABS:
        opened = f'#page[data-tab="{tab}"] .on-{tab}'
        first = f", #page:not([data-tab]) .on-{tab}" if tab == TABS[0] else ""
        rules.append(f"{opened}{first} {{ display: flex !important; }}")
    # What concerns a photograph that is not there: its share, its brush, its place in a panorama.
    for number, role in enumerate(ROLES[1:], 1):
        about = f"#share-{role}, #painter .brush-{role}, #join label:nth-of-type({number})"
        rules.append(f"#page:not(:has(#{role} img)) :is({about}) {{ display: none !important; }}")
    return "\n".join(rules)


def on(*tabs: str) -> list[str]:
    """The classes of what is shown on some tabs only."""
    return ["tabbed", *(f"on-{tab}" for tab in tabs)]
