"""What commands write, and where: streams, files, tables."""
