"""Telling other programs what happened: signed, tried again, and each call kept for a while."""
