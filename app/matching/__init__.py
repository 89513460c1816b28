"""The core: postings, embeddings, search, clustering. NumPy and SciPy only; no web, no TensorFlow, no files."""
