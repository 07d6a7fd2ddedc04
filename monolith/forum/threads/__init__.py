"""Threads: their titles, their state and how to find them."""
