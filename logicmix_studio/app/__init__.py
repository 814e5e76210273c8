"""The studio in the browser: a Gradio app. Layout and wiring only; services on `Studio` do the rest."""
