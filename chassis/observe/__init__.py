"""What a process shows of itself: log lines and metrics."""
