"""pricematch: which postings of a marketplace show the same product, and how sure are we."""

__version__ = "0.1.0"
