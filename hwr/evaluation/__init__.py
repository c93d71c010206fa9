"""How well and how surely a model reads."""
