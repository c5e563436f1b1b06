"""What a user would run instead, written as the public documentation of the libraries shows it."""
