"""From Settings to what the service answers with."""
