"""Publication: from a projection's state to readers, by write, audit and publish."""
