"""What the signals say of a pair of postings, as numbers that a model of pairs learns from."""
