"""The forum as one Flask application on one SQL database."""
