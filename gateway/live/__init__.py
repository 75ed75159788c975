"""Live: what the order service tells of its orders, as Server-Sent Events and over WebSocket."""
