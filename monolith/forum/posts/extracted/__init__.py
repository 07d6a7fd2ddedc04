"""The domain of posts once a service owns it: remote, replica, and router to the owner."""
