"""Other libraries' shapes of a tracker, on top of the api."""
