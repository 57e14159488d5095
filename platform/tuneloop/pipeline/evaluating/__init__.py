"""What is learned from a tuned model's answers on rows it was not trained on, one concept a file."""
