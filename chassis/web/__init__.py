"""HTTP as every process speaks it: the application, its edge, problems, bodies, negotiation, health."""
