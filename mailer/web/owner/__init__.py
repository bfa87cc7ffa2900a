"""Pages for owners: people, and who may do what."""
