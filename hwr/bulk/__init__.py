"""Bulk reading: any number of images, in parallel, into part files."""
