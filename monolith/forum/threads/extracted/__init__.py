"""The domain of threads once a service owns it: remote, replica, and router to the owner."""
