"""Clients with carts, disturbances, and four balancers: what is lost."""
