"""The lessons: a folder for each lab, with the texts, checks and mistakes of its steps."""
