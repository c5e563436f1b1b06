"""What is written about tautune, and what draws it."""
