"""Catalogo: categorias, and the produtos in them."""
