"""Networks, model packages, tiles and engines that remove focal-spot blur, and the two controls of the result."""
