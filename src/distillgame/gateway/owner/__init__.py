"""What the owner sees: the dashboard and plots."""
