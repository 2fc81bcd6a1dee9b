"""How the tab Train looks."""

CSS = """
/* The photographs and the picture of the other tabs are none of a training's. */
#page[data-tab="train"] :is(#structure, #texture, #examples, #stage, #actions, #history, #refining, #cancel-refining) {
  display: none !important;
}
#inputs > #to-train-on { grid-column: 1 / -1; }
#train-drop .row {
  display: flex; align-items: center; justify-content: space-between; gap: 8px; min-height: 36px; margin-top: 6px;
}
#train-drop .count { font-size: 0.9rem; }
#train-drop .clear {
  flex: none; min-height: 36px; padding: 6px 12px; cursor: pointer; border-radius: 8px; font-size: 0.9rem;
  border: 1px solid var(--border-color-primary); background: var(--button-secondary-background-fill);
  color: var(--body-text-color);
}
#training, #train-drop { font-size: 0.9rem; }
#training p { margin: 0 0 8px; line-height: 1.5; }
:is(#training, #train-drop) summary { cursor: pointer; min-height: 28px; }
:is(#training, #train-drop) details ul { margin: 0; padding-left: 1.4em; list-style: disc; overflow-wrap: anywhere; }
#training figure { margin: 0; }
#train-grid img {
  display: block; width: min(100%, max(320px, 100vh - 280px)); border-radius: 12px; margin: 0 auto 6px;
}
.course { --lpips: #0f766e; --texture: #b45309; }
.dark .course { --lpips: #2dd4bf; --texture: #fbbf24; }
.course svg { width: 100%; height: auto; display: block; }
.course .marks line { stroke: var(--border-color-primary); }
.course .marks text { fill: var(--body-text-color); font-size: 13px; }
.course g.lpips { stroke: var(--lpips); fill: var(--lpips); }
.course g.texture { stroke: var(--texture); fill: var(--texture); }
.course polyline { fill: none; stroke-width: 2; }
.course figcaption { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 0.85rem; }
.course i { display: inline-block; width: 14px; height: 3px; margin: 0 6px 3px 0; vertical-align: middle; }
.course .lpips i { background: var(--lpips); }
.course .texture i { background: var(--texture); }
#trained:not(:has(a)) { display: none; }
@media (max-width: 820px) {
  #train-drop .clear { min-height: 44px; }
  :is(#training, #train-drop) summary { min-height: 44px; align-content: center; }
}
"""
