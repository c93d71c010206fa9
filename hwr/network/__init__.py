"""The CRNN: built, stored in a folder, exported, run."""
