"""Many trainings side by side: recipes, seeds and folds, and what can be told apart."""
