"""Setup of a working copy: platform check, virtual environment, and programs from registries."""
