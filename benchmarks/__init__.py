"""`make bench`: what sending and planning cost, as ratios taken in one run."""
