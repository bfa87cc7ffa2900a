"""What browsers are given of other people's: brought by npm, built by `make assets`, never committed."""
