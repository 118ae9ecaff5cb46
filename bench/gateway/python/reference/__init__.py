"""Our gateway with its plans switched off, served by `chassis.serve`."""
