"""aiatrack."""
