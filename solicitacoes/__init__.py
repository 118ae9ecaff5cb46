"""The service solicitacoes: who asked for which servico on which produto, and a view that shows all three."""
