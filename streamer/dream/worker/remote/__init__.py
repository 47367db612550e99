"""A worker on a node of a Ray cluster.

    renderer ─ pipe, shared memory ─ relay ─ network ─ host ─ pipe, shared memory ─ worker

The relay is a process on the renderer's machine, the host is a Ray actor on the node, and the worker is an ordinary one that
the host starts: it works as on this machine. Only the relay talks to Ray, because Ray ends a process that has lost its cluster
for a minute. Nothing here imports Ray.
"""
