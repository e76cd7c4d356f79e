"""Our readers beside readers that share no code with them, file by file."""
