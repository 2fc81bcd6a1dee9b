"""How the page looks: its style sheet, and which controls each tab shows."""

from __future__ import annotations

from swapae.apps.page.settings import ROLES

TABS = ("swap", "mix", "regions", "directions", "structure", "find", "motion", "train", "model", "about")

CSS = """
/* Gradio hides what goes beyond it, and then nothing in it can stay in view; what is cut off instead can. */
.gradio-container {
  width: 100%; min-width: 0; max-width: 1440px !important; margin: 0 auto !important; overflow: clip !important;
}
.gradio-container > .main { width: 100%; min-width: 0; max-width: 100% !important; padding: 4px 28px !important; }
.gradio-container main { max-width: 100% !important; padding: 4px 0 16px !important; }
.gradio-container main > .column { min-width: 0 !important; gap: 10px; }
#keeper:not(:has(.lost:not([hidden]))) { display: none; }
[hidden] { display: none !important; }
#title .html-container > div { display: flex; justify-content: space-between; align-items: center; gap: 16px; }
#title h1 { display: inline; margin: 0 12px 0 0; font-size: 1.4rem; font-weight: 700; }
#title p { display: inline; margin: 0; color: var(--body-text-color); opacity: 0.8; }
#theme { flex: none; width: 44px; height: 44px; font-size: 1.3rem; line-height: 1; cursor: pointer; }
.html-container { padding: 0 !important; }
/* Dark enough for white words, light enough for dark paper. */
.gradio-container {
  --button-primary-background-fill: #0f766e; --button-primary-background-fill-hover: #115e59;
  --button-primary-text-color: #fff;
}
footer button, footer a { color: var(--body-text-color) !important; }
a.download-link { color: var(--body-text-color) !important; text-decoration: underline; }
button input[type=file] { display: none; }
.problem { margin: 4px 0 0; color: #b91c1c; font-weight: 600; font-size: 0.9rem; }
.dark .problem { color: #fca5a5; }
/* Without a comma, at which Gradio would take it apart. */
.note:not(:has(p)):not(:has(.making)) { display: none; }
/* Gradio's own subdued grey is too faint to read on white. */
.quiet { margin: 0 0 4px; font-size: 0.85rem; color: var(--body-text-color); opacity: 0.8; }
.quiet a { text-decoration: underline; }
.words { margin: 0; padding-left: 1.4em; list-style: decimal; font-size: 0.9rem; }
#controls .block span, #controls .block div { color: var(--body-text-color); }
/* White knobs, on white: with a rim. */
#controls input[type=range]::-webkit-slider-thumb { border: 2px solid var(--color-accent); }
#controls input[type=range]::-moz-range-thumb { border: 2px solid var(--color-accent); }
#page button, #page label.drop, #title button, #tabs button, #keeper button { touch-action: manipulation; }
#page :is(button, canvas, select):focus-visible, #tabs button:focus-visible, #title button:focus-visible,
#page label.drop:focus-within, .compare:has(input:focus-visible) {
  outline: 3px solid var(--color-accent); outline-offset: 2px;
}

/* Tabs. */
#tabs [role=tablist] {
  display: flex; gap: 2px; overflow-x: auto; scrollbar-width: none;
  border-bottom: 1px solid var(--border-color-primary);
}
#tabs [role=tab] {
  position: relative; flex: none; min-height: 44px; padding: 0 16px; cursor: pointer; white-space: nowrap;
  color: var(--body-text-color); border-bottom: 3px solid transparent;
}
#tabs [role=tab]:hover { background: var(--background-fill-secondary); }
#tabs [aria-selected=true] { border-bottom-color: var(--color-accent); font-weight: 600; }
#introduction { margin: 8px 0 0; }

/* The three columns; the picture stays in view while the controls scroll. */
#page { align-items: flex-start; gap: 20px; }
#results { position: sticky; top: 8px; align-self: flex-start; gap: 10px; }
#stage { gap: 6px; }
#controls { gap: 14px; }

/* The photographs. */
#inputs { display: grid !important; grid-template-columns: repeat(6, 1fr); gap: 14px 10px; align-content: start; }
#inputs > .slot { grid-column: span 2; }
#inputs > :is(#structure, #texture, #examples) { grid-column: 1 / -1; }
/* A slot's inner part has its classes too. */
#page[data-tab] #inputs .html-container > .slot { display: block !important; }
.further .drop { height: 88px; }
.further .ask { font-size: 0.8rem; }
.further small { display: none; }
#inputs > .slot, #inputs > .slot .html-container { overflow: visible; }
.slot .html-container > div { position: relative; }
.slot-head { display: flex; align-items: baseline; gap: 6px; margin-bottom: 4px; font-weight: 600; }
.slot-head b {
  display: inline-flex; justify-content: center; width: 1.5em; height: 1.5em; line-height: 1.5em; font-size: 0.8rem;
  border-radius: 50%; background: #0f766e; color: #fff;
}
.slot-head small { font-weight: 400; opacity: 0.75; }
.drop {
  position: relative; display: flex; align-items: center; justify-content: center; height: 172px; overflow: hidden;
  cursor: pointer; text-align: center; border: 2px dashed var(--border-color-primary); border-radius: 12px;
  background: var(--background-fill-secondary);
}
.drop:hover, .drop.over { border-color: var(--color-accent); }
.drop input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; cursor: pointer; }
.drop img { width: 100%; height: 100%; object-fit: contain; pointer-events: none; }
.drop:has(img) { border-style: solid; border-width: 1px; }
.drop:has(img) .ask, .slot:not(:has(img)) .remove { display: none; }
.ask { font-size: 0.9rem; line-height: 1.5; pointer-events: none; }
.sending .drop { opacity: 0.5; }
.remove {
  position: absolute; top: 32px; right: 6px; width: 30px; height: 30px; cursor: pointer; border-radius: 50%;
  background: rgb(0 0 0 / 0.6); color: #fff; font-size: 0.8rem; line-height: 1;
}
.remove:hover { background: #b91c1c; }
.slot .note p { margin: 4px 0 0; }

/* The picture. */
#result .html-container { opacity: 1 !important; }
.compare {
  position: relative; aspect-ratio: var(--shape, 1); max-height: min(100vh - 318px, 640px); min-height: 200px;
  max-width: 100%; margin: 0 auto; overflow: hidden; border-radius: 12px; background: var(--background-fill-secondary);
  width: min(100%, calc(min(100vh - 318px, 640px) * var(--shape, 1)));
}
.compare img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; user-select: none; }
.compare .after { clip-path: inset(0 0 0 var(--at)); }
.compare .before { clip-path: inset(0 calc(100% - var(--at)) 0 0); }
.compare input {
  position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize;
  touch-action: pan-y;
}
.handle { position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px; margin-left: -1px; background: #fff; }
.handle { box-shadow: 0 0 3px rgb(0 0 0 / 0.6); pointer-events: none; }
.handle b {
  position: absolute; top: 50%; left: 50%; width: 36px; height: 36px; transform: translate(-50%, -50%);
  border-radius: 50%; background: var(--color-accent); box-shadow: 0 1px 4px rgb(0 0 0 / 0.5);
}
.handle b::before {
  content: "\\2039\\a0\\203a"; color: #fff; display: block; text-align: center; line-height: 33px; font-size: 1.2rem;
}
.corner {
  position: absolute; bottom: 8px; padding: 2px 8px; border-radius: 6px; font-size: 0.75rem; pointer-events: none;
  background: rgb(0 0 0 / 0.6); color: #fff;
}
.corner.left { left: 8px; }
.corner.right { right: 8px; }
.compare .full {
  position: absolute; top: 8px; right: 8px; width: 36px; height: 36px; cursor: pointer; border-radius: 8px;
  background: rgb(0 0 0 / 0.55); color: #fff; display: grid; place-items: center;
}
.compare:fullscreen { width: 100vw; height: 100vh; max-height: none; border-radius: 0; }
/* While a result is made the last one stays, dimmed, beneath a thin line that moves; not if it takes but a moment. */
#result:has(.wrap.minimal:not(.hide)) img { opacity: 0.55; transition: opacity 0.2s 0.5s; }
#result .wrap.minimal > * { display: none; }
#result .wrap.minimal { background: none; padding: 0; }
#result .wrap.minimal:not(.hide)::after {
  content: ""; position: absolute; left: 0; bottom: 0; width: 30%; height: 3px; background: var(--color-accent);
  opacity: 0; animation: working 1.2s 0.5s ease-in-out infinite alternate;
}
@keyframes working { from { left: 0; opacity: 1; } to { left: 70%; opacity: 1; } }

/* Which edits are on. */
ul.edits { display: flex; flex-wrap: wrap; justify-content: center; gap: 6px; margin: 0; padding: 0; list-style: none; }
.edits li {
  display: flex; align-items: center; gap: 2px; padding: 0 0 0 10px; border-radius: 999px; font-size: 0.8rem;
  border: 1px solid var(--border-color-primary); background: var(--background-fill-secondary);
}
.edits button { width: 28px; height: 28px; cursor: pointer; border-radius: 50%; font-size: 0.7rem; line-height: 1; }
.edits button:hover { color: #b91c1c; }
p.edits { margin: 4px 0; text-align: center; }

/* Beneath the picture. */
#status .quiet { text-align: center; margin: 0; }
/* No wider than the buttons above it. */
#download-remark { width: 0; min-width: 100%; margin: 6px 0 0; text-align: center; }
#cancel-refining { align-self: center; flex: none; width: auto; }
#actions { flex-wrap: wrap; gap: 8px; align-items: center; justify-content: center; }
#actions > button { flex: 0 1 auto; min-width: 64px; padding: 6px 12px; font-size: 0.9rem; min-height: 36px; }
#actions > button:disabled { opacity: 0.4; cursor: default; }
#actions > * { width: auto; flex: 0 0 auto; min-width: 0; }
#downloads, #downloads .html-container, #downloads .html-container > div { width: auto; }
:is(#downloads, #painter, #dragger, #keeper) .row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
#downloads .row { flex-wrap: nowrap; white-space: nowrap; }
#downloads button, #downloads select, .presets button, #painter button, #dragger .row button, #keeper button {
  min-height: 36px; padding: 6px 12px; cursor: pointer; border-radius: 8px; font-size: 0.9rem;
  border: 1px solid var(--border-color-primary); background: var(--button-secondary-background-fill);
  color: var(--body-text-color);
}
#downloads select { max-width: 13em; padding-right: 28px; }
#downloads button.main, #keeper button.main {
  background: var(--button-primary-background-fill); color: var(--button-primary-text-color);
}
#films { gap: 0; }
#film:not(:has(img)), #video:not(:has(video)), #film-file:not(:has(a)), #large:not(:has(a)) { display: none; }
#film img { width: 100%; height: 100%; object-fit: contain; }
.making { display: grid; gap: 4px; font-size: 0.9rem; }
.making progress { width: 100%; height: 8px; accent-color: var(--color-accent); }
.lost { margin: 8px 0; padding: 12px 16px; border: 1px solid var(--color-accent); border-radius: 12px; }
.lost p { margin: 0 0 8px; }
.pairs, .steps, .presets { display: flex; flex-wrap: wrap; gap: 6px; }
.steps { justify-content: center; }
.pairs { display: grid; grid-template-columns: repeat(3, 1fr); }
.pairs button, .steps button {
  display: flex; gap: 3px; padding: 3px; cursor: pointer;
  border: 2px solid var(--border-color-primary); border-radius: 8px;
  background: var(--background-fill-secondary);
}
.pairs button:hover, .pairs button:focus-visible, .steps [aria-current] { border-color: var(--color-accent); }
.pairs img { width: calc(50% - 2px); aspect-ratio: 1; object-fit: cover; margin: 0; border-radius: 5px; }
.steps button { padding: 1px; }
.steps img { display: block; width: 36px; height: 36px; margin: 0; border-radius: 5px; }

/* Controls of the tabs. */
.board { position: relative; }
/* Where the points go; the canvas beneath has the pointer. */
.knob {
  position: absolute; width: 24px; height: 24px; margin: -12px; padding: 0; border-radius: 50%; font-size: 0.75rem;
  line-height: 1; font-weight: 700; color: #fff; background: #0f766e; border: 2px solid #fff; pointer-events: none;
  box-shadow: 0 0 3px #000;
}
#dragger .row:empty { display: none; }
#dragger .remark:empty { display: none; }
:is(#painter, #dragger) .row { margin-top: 6px; }
:is(#painter, #cutter, #dragger) canvas {
  width: 100%; border-radius: 8px; cursor: crosshair; touch-action: none; display: block;
}
:is(#painter, #dragger) label {
  display: inline-flex; gap: 6px; align-items: center; font-size: 0.9rem; min-height: 28px;
}
#painter fieldset { border: 0; padding: 0; margin: 6px 0 0; display: grid; grid-template-columns: 1fr 1fr; gap: 0 8px; }
:is(#painter, #dragger) input[type=range] { width: 90px; }
/* The browser's own marks: Gradio's reset takes them away. */
:is(#painter, #dragger) :is(input[type=radio], input[type=checkbox]) { appearance: auto; }
:is(#painter, #dragger) input { accent-color: var(--color-accent); }
.dark :is(#painter, #dragger, #downloads) { color-scheme: dark; }
#painter i { width: 14px; height: 14px; border-radius: 4px; border: 1px solid var(--border-color-primary); }
ul.found {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 10px; margin: 0; padding: 0;
  list-style: none;
}
.found li { display: grid; grid-template-columns: 1fr 1fr; gap: 4px; align-content: start; }
.found img { grid-column: 1 / -1; width: 100%; aspect-ratio: 1; margin: 0; object-fit: cover; border-radius: 6px; }
.found button {
  min-height: 36px; padding: 2px; cursor: pointer; border-radius: 6px; font-size: 0.75rem; line-height: 1.1;
  border: 1px solid var(--border-color-primary); background: var(--button-secondary-background-fill);
  color: var(--body-text-color);
}
.presets { display: grid; grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); }
.presets button { display: flex; flex-direction: column; align-items: center; gap: 4px; }
#controls .presets button { padding: 6px; font-size: 0.8rem; line-height: 1.2; }
.presets img { display: block; max-width: 100%; height: 56px; margin: 0; border-radius: 5px; object-fit: contain; }
.strip img { display: block; width: 56px; height: 56px; margin: 0; border-radius: 5px; }
.strip { display: flex; gap: 6px; }
.strip figure { margin: 0; text-align: center; font-size: 0.75rem; }
#explore > div:last-child { max-height: 70vh; overflow-y: auto; }
.number-note { padding: 0 0 4px; }
/* Of the further photographs' empty slots only the first is shown. */
#page .further:not(:has(img)) ~ .further:not(:has(img)) { display: none !important; }
#card textarea { font-family: ui-monospace, monospace; font-size: 0.8rem; }
@media (max-width: 820px) {
  .gradio-container > .main { padding: 0 12px !important; }
  #title p { display: none; }
  #page { flex-direction: column; flex-wrap: nowrap; gap: 10px; }
  #page > * { width: 100%; }
  #results { display: contents; }
  #stage {
    position: sticky; top: 0; z-index: 60; padding: 4px 0; background: var(--body-background-fill);
    box-shadow: -28px 0 var(--body-background-fill), 28px 0 var(--body-background-fill);
  }
  /* Photographs first, two beside each other, then the picture, which stays in view above the controls. */
  #inputs { gap: 10px; }
  #inputs > :is(#structure, #texture) { grid-column: span 3; }
  .further .drop { height: 72px; }
  .drop { height: 112px; }
  .slot-head small { display: none; }
  .pairs { display: flex; flex-wrap: nowrap; overflow-x: auto; }
  .pairs button { flex: none; width: 108px; }
  #examples .quiet { display: none; }
  .compare { width: min(100%, calc(42vh * var(--shape, 1))); max-height: 42vh; min-height: 0; }
  #history { display: none; }
  #actions button, #actions select, #cancel-refining, #keeper button, .presets button, #painter button,
  #dragger .row button, #page button.lg, .found button {
    min-height: 44px; min-width: 44px;
  }
  /* As large to a finger as it should be, and no larger to the eye. */
  .remove, .compare .full { background: none; width: 44px; height: 44px; top: 28px; right: 0; display: grid; }
  .compare .full { top: 0; }
  .remove { place-items: center; isolation: isolate; }
  .remove::before, .compare .full::before {
    content: ""; position: absolute; inset: 9px; z-index: -1; border-radius: 50%; background: rgb(0 0 0 / 0.6);
  }
  .compare .full { isolation: isolate; }
  .compare .full::before { inset: 6px; border-radius: 8px; }
  #downloads .row { flex-wrap: wrap; justify-content: center; }
  .edits button { width: 44px; height: 44px; }
  ul.edits { flex-wrap: nowrap; overflow-x: auto; justify-content: flex-start; }
  .edits li { flex: none; }
  :is(#painter, #dragger) label { min-height: 44px; }
  #actions > button { padding: 6px 10px; }
}
"""


def tab_rules() -> str:
    """Style rules that show each tab's controls, and only them; the page opens with the first tab."""
    rules = ["#page .tabbed { display: none !important; }"]
    for tab in TABS:
        opened = f'#page[data-tab="{tab}"] .on-{tab}'
        first = f", #page:not([data-tab]) .on-{tab}" if tab == TABS[0] else ""
        rules.append(f"{opened}{first} {{ display: flex !important; }}")
    # A dot on the tabs that have edits that are on.
    for tab in TABS:
        rules.append(
            f'body:has(#edits [data-tab="{tab}"]) #tab-{tab}::after {{ content: ""; position: absolute; top: 8px; '
            "right: 5px; width: 7px; height: 7px; border-radius: 50%; background: var(--color-accent); }"
        )
    # What concerns a photograph that is not there: its share, its brush, its place in a panorama.
    for number, role in enumerate(ROLES[1:], 1):
        about = f"#share-{role}, #painter .brush-{role}, #join label:nth-of-type({number})"
        rules.append(f"#page:not(:has(#{role} img)) :is({about}) {{ display: none !important; }}")
    return "\n".join(rules)


def on(*tabs: str) -> list[str]:
    """The classes of what is shown on some tabs only."""
    return ["tabbed", *(f"on-{tab}" for tab in tabs)]
