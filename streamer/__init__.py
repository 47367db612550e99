"""zoomdream: a live stream that dreams what its viewers ask for."""
