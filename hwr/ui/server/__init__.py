"""Workarounds for Gradio, and limits on what visitors can do."""
