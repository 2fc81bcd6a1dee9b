"""What the browser keeps of a visit, so that it outlives a reload, and the server being started anew.

The tab keeps the visit's name and settings, and the browser for two hours the photographs that were sent, so that a
visit can go on although the server forgot it.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from swapae.apps.page.examples import copy_of_example, numbers
from swapae.apps.page.photographs import PhotographFolder
from swapae.apps.page.visits import Visit

# What the keeper is told: that the visit is kept here, or that the server does not know it.
HERE, LOST = "here", "lost"
# The tab's name of its visit begins with the name of this start of the server, so that one of before is known as such.
NAMING = """
const visitOfTab = () => window.swapaeVisit ??= (() => {
  const stored = sessionStorage.getItem('swapae visit') || '', here = stored.startsWith('START.');
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  const name = here ? stored : 'START.' + bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  sessionStorage.setItem('swapae visit', name);
  return {name, state: here ? 'again' : stored ? 'lost' : 'new'};
})();
"""
# Every change of a visit has a number, larger than those of before, also of another tab with the same visit. The server
# is told of it at once, so that what is under way for an earlier one is not shown any more.
NUMBERED = """
(name, turn, ...rest) => {
  const asked = window.swapaeAsks?.();
  return asked ? [asked.name, asked.turn, ...rest] : [name, turn, ...rest];
}
"""
# Before all else: a small store of the photographs that were sent, by what the server calls them.
STORE = """
() => {
  const AGE = 2 * 3600e3, open = () => new Promise((done, failed) => {
    const asked = indexedDB.open('swapae', 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore('photographs');
    asked.onsuccess = () => done(asked.result.transaction('photographs', 'readwrite').objectStore('photographs'));
    asked.onerror = () => failed(asked.error);
  });
  const keep = async (path, file) => (await open()).put({file, time: Date.now()}, path);
  const kept = async (path) => {
    const asked = (await open()).get(path);
    return new Promise((done) => { asked.onsuccess = () => done(asked.result?.file); });
  };
  const quietly = (act) => (...given) => act(...given).catch(() => undefined);
  window.swapae = {keep: quietly(keep), kept: quietly(kept)};
  quietly(async () => {
    (await open()).openCursor().onsuccess = ({target: {result: cursor}}) => {
      if (!cursor) return;
      if (Date.now() - cursor.value.time > AGE) cursor.delete();
      cursor.continue();
    };
  })();
}
"""
TEMPLATE = """
<div class="lost" role="alert" hidden><p>This page was started anew since you came, and what it kept of your visit is
gone. Your browser still has your photographs and your edits<span class="kinds" hidden>, but not the photographs of the
two kinds on Directions: give those again</span>.</p><div class="row">
<button type="button" class="main" data-do="resume">Go on where I was</button>
<button type="button" data-do="dismiss">Begin anew</button></div></div>
"""
KEEPER = """
const banner = element.querySelector('.lost');
const saved = () => { try { return JSON.parse(sessionStorage.getItem('swapae saved')); } catch { return null; } };
const {name, state: found} = visitOfTab();
let last = 0;
window.swapaeAsks = () => {
  const asked = {name, turn: last = Math.max(Date.now(), last + 1)};
  trigger('ask', asked);
  return asked;
};
if (found === 'again') trigger('restore', {name});
const offer = (lost) => {
  banner.hidden = !lost || !saved();
  banner.querySelector('.kinds').hidden = !saved()?.kinds;
};
offer(found === 'lost');
const show = () => {
  const {state, visit, refine} = props.value || {};
  if (!state) return;
  if (refine) trigger('refine', {});
  offer(state === 'lost');
  if (visit) sessionStorage.setItem('swapae saved', JSON.stringify(visit));
};
element.addEventListener('click', async (event) => {
  const what = event.target.closest('button')?.dataset.do, visit = saved();
  if (!what) return;
  banner.hidden = true;
  if (what === 'dismiss') {
    sessionStorage.removeItem('swapae saved');
    // A page that stayed open has a name of before, by which nothing is kept: loaded anew it gets another.
    if (props.value?.state === 'lost') location.reload();
  }
  if (what !== 'resume' || !visit) return;
  for (const [role, photograph] of Object.entries(visit.photographs)) {
    if (typeof photograph !== 'string') continue;
    const file = await window.swapae.kept(photograph);
    try {
      if (file) window.swapae.keep(visit.photographs[role] = (await upload(file)).path, file);
    } catch { /* what cannot be sent is missing, which the server says */ }
  }
  // As text: Gradio would take what has a "path" for a file.
  trigger('resume', {name, visit: JSON.stringify(visit)});
});
watch('value', show);
"""


def keeper(start: str) -> gr.HTML:
    """What keeps the visit in the browser, and offers to go on; the value is `kept_here`'s.

    Args:
        start: the name of this start of the server.
    """
    script = NAMING.replace("START", start) + KEEPER
    return gr.HTML(None, html_template=TEMPLATE, js_on_load=script, apply_default_css=False, elem_id="keeper")


def name_of_tab(start: str) -> str:
    """The script that gives the tab's name of its visit."""
    return f"() => {{ {NAMING.replace('START', start)} return visitOfTab().name; }}"


def kept_here(visit: Visit, state: str, photographs: PhotographFolder | None = None) -> dict[str, Any]:
    """What the browser is told of a visit, and what it is to keep of it, if it goes on.

    Args:
        visit, state: the visit, and whether it is kept here.
        photographs: those that were found in a folder are told by their keys.
    """
    told: dict[str, Any] = {"state": state}
    if state != HERE:
        return told

    def told_as(path: str) -> Any:
        if (number := numbers().get(path)) is not None:
            return {"example": number}
        key = photographs and photographs.key_of(path)
        return {"found": key} if key else path

    here = {role: told_as(path) for role, path in visit.paths.items()}
    # Gradio sends the photographs of the kinds, so that the browser has none to keep: only that there were own ones.
    kinds = any(not copy_of_example(path) for paths in visit.kinds for path in paths)
    visit_here = {"values": visit.values, "photographs": here, "model": visit.model, "kinds": kinds}
    return told | {"visit": visit_here}
