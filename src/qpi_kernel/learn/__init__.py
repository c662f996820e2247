"""Learning: scenes drawn on the fly, the two networks, their training and the trained model."""
