"""Telling people elsewhere that something is wrong with sending, once, and once that it is over."""
