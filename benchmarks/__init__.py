"""Speed and memory, measured beside accuracy."""
