"""Pages of those who write: courses."""
