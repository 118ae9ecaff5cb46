"""What has changed in a service, told to whoever follows it: in order, without gaps, and from where a follower left."""
