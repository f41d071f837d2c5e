"""Build the files of a release: one zip for each Python, its bill of materials, and the checksums."""
