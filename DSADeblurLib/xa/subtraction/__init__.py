"""Digital subtraction: which frames from which, how the mask is found and moved, and the differences."""
