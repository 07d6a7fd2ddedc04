"""Maintenance tools: dependency pins, vulnerability audit, slim images."""
