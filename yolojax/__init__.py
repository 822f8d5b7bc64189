"""yolojax: prune YOLOv2 in JAX as plain pytrees, and take the smaller network elsewhere."""
