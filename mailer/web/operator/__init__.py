"""Pages of those who watch the queues."""
