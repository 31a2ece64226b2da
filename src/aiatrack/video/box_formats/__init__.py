"""One module for each family of files that boxes are written to."""
