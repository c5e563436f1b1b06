"""What a user would run instead of tautune, written as the libraries' documentation shows it."""
