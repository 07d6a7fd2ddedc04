"""The domain of users once a service owns it: remote, replica, and router to the owner."""
