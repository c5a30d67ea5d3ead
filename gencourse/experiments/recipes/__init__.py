"""One file for each model that `gencourse train` knows, named as it, with its RECIPE."""
