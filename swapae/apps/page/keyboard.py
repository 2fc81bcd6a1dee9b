"""For the keyboard and for screen readers: undo and redo by key, and names where Gradio has none that say which."""

# Undo and redo by the keys that everybody knows, but where text is typed.
SHORTCUTS = """
() => document.addEventListener('keydown', (event) => {
  const typing = event.target.matches('textarea, input[type=text], input[type=number]');
  if (typing || !(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  const name = key === 'y' || (key === 'z' && event.shiftKey) ? 'redo' : key === 'z' ? 'undo' : '';
  if (!name) return;
  event.preventDefault();
  document.getElementById(name).click();
})
"""
# Gradio calls each of its buttons for files alike, and some by a name for translators.
NAMES = """
() => {
  const WORDS = {'common.upload': 'Add files', 'common.clear': 'Remove all', 'Clear': 'Remove all'};
  const name = () => {
    // A button within a button: the outer one is none.
    for (const outer of document.querySelectorAll('button:not([role]):has(button)')) {
      outer.setAttribute('role', 'group');
      outer.tabIndex = -1;
    }
    for (const button of document.querySelectorAll('#page button.icon-button, button.upload-container')) {
      const about = button.closest('.block')?.querySelector('label, [data-testid=block-label]')?.textContent.trim();
      const words = button.matches('.upload-container') ? button.textContent.trim().replace(/\\s+/g, ' ')
        : (WORDS[button.getAttribute('aria-label')] ?? button.getAttribute('aria-label'));
      if (about && words && !words.includes(about)) button.setAttribute('aria-label', `${words}: ${about}`);
    }
  };
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
  name();
}
"""
