"""Images for people: contact sheets."""
