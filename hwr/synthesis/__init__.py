"""Names drawn by the package itself."""
