"""Results as tables, plots and a page of the documentation."""
