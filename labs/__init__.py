"""Labs: take the monolith apart step by step, in a folder of one's own, and check each step."""
