"""Fitting the network, on one machine or several."""
