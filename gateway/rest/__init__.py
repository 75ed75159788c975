"""REST and JSON in front of the services' gRPC, built from their descriptors."""
