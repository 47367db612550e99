"""What is wanted: vocabulary, queue, policy, director."""
