"""The API for programs, at /api/v1: a request, one call of the desk, JSON."""
