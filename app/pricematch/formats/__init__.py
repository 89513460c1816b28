"""File formats: CSV, NDJSON, ZIP, embeddings, manifests, matcher artefacts, atomic writes."""
