"""The store, its image files, backups."""
