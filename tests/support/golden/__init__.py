"""What `tests/golden.py` records of a checkout, driven through its command line and over HTTP only."""
