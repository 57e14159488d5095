"""What a request, a stored answer, a series and a replica cost, and what a load needs."""
