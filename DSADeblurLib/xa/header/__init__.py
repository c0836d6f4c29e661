"""What the header of a run says: acquisition, pixels, mask, motion, shutters and display, each with its doubts."""
