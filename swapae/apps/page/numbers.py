"""Numbers typed into the boxes beside the sliders: what cannot be taken is said, not quietly made something else."""

# Gradio's sliders put the nearest number that is possible, or the default, without a word.
CHECK_NUMBERS = """
() => {
  const typed = new Map();
  const box = (event) => event.target.matches?.('#controls input[type=number]') ? event.target : null;
  const frame = (input) => input.closest('.block');
  const say = (input, sentence) => {
    const block = frame(input);
    block.querySelector(':scope > .number-note')?.remove();
    if (!sentence) return;
    const note = Object.assign(document.createElement('p'), {className: 'number-note problem', textContent: sentence});
    note.setAttribute('role', 'status');
    block.append(note);
  };
  document.addEventListener('input', (event) => {
    const input = box(event);
    if (input) typed.set(input, input.value);
    if (input || event.target.matches?.('#controls input[type=range]')) say(event.target, '');
  }, true);
  document.addEventListener('focusout', (event) => {
    const input = box(event);
    if (!input || !typed.has(input)) return;
    const text = typed.get(input), range = frame(input).querySelector('input[type=range]');
    const low = Number(range?.min ?? input.min), high = Number(range?.max ?? input.max);
    typed.delete(input);
    setTimeout(() => {
      const now = input.value;
      if (text === '') say(input, `The box was empty: it is ${now} now.`);
      else if (Number(text) < low || Number(text) > high)
        say(input, `${text} is not from ${low} to ${high}: it is ${now} now.`);
    });
  }, true);
}
"""
