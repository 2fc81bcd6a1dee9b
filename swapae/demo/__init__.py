"""What the page in `app.py` does, without the page: no Gradio here."""
