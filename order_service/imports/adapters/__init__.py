"""What imports talk to: files, and the catalogue."""
