"""A DICOM file that nobody vouches for: one open file, its data set, and its frames, every read bounded."""
