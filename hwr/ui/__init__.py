"""The web page: tabs that take a picture, and one panel that shows what it says."""
