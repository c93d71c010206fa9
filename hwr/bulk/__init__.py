"""Any number of images, read in parallel into part files."""
