"""What a run leaves for people: pages, tables, pictures and figures."""
