"""What is about runs: which may start, which versions they read, which are kept, and how their errors are said."""
