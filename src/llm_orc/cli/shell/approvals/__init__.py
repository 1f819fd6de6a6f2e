"""What agents ask people: asked in the terminal, or said with the commands that answer it later."""
