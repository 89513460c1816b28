"""What lasts: the store, its image files, backups."""
