"""Technical building blocks shared by all components; free of the forum's domain terms."""
