"""Between the scene and the library: runs in, derived nodes out, and the layout that compares them."""
