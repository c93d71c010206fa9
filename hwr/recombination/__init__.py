"""Real letters and pieces of words, cut out and set anew."""
