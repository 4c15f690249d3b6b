"""What else could explain a result: shortcuts and corrupted images."""
