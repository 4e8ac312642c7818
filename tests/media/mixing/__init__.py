"""Several sources at once, and one source for several calls."""
