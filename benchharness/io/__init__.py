"""Files and downloads: formats, atomic writing, the catalogue of installed data."""
