"""Everything that knows all the services: topology, the local launcher, containers."""
