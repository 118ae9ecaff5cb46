"""The service servicos: what people can ask for."""
