"""The threads service: the topics of discussion, and their search."""
