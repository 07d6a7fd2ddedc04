"""Calls to other components: the users service makes none."""
