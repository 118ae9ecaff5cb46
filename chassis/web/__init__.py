"""HTTP in every process: the application, its middleware, problems, bodies, negotiation and health."""
