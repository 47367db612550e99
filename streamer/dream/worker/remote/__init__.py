"""A worker on a node of a Ray cluster.

    renderer ─ pipe, shared memory ─ relay ─ network ─ host ─ pipe, shared memory ─ worker

The relay is a process beside the renderer's, the host an actor on the node, and the worker an ordinary one, which the host has
started: all that is said of a worker here holds there. Ray is spoken to by the relay alone, since it ends the process that it
is in when it loses its cluster for a minute. Nothing here imports Ray.
"""
