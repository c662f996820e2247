"""napari plugin around the library `qpi_kernel`: it shows and asks, the library computes."""
