"""The panel, one file per section."""
