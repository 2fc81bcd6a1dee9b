"""A human study of hybrids: how often they pass for photographs, and which method's people prefer.

`trials` says what a viewer is shown, `pictures` reads and prepares it, `page` shows it, `answers` keeps what was
answered, `report` turns that into `rates`. Only `page` needs Gradio, and nothing here imports it.
"""
