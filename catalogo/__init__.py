"""The service catalogo: categorias, and the produtos in them."""
