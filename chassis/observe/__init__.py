"""What a process shows of itself: log lines, metrics and traces."""
