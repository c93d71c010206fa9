"""From logits to names, letters and confidence."""
