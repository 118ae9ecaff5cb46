"""One process on the network: its sockets, its HTTP/1.1 connections and WebSockets, its workers and its end."""
