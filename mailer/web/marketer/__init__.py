"""Pages of those who write: courses, forms, the archive."""
