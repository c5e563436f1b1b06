"""Remedies for gradients that arrive late: each is an optimizer around a `GradientQueue`, one a file."""
