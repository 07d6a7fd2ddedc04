"""Mechanism that every component of the forum uses; it knows no noun of the forum."""
