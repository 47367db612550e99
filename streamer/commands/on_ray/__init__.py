"""Renders and atlases whose dreams are dreamt on the nodes of a Ray cluster.

Everything is read and written here: what a node needs is sent to it, and what it dreamt comes back. A node reads nothing but
weights. The commands work with stand-ins for the sessions of ``streamer.dream.sessions``, which ask nodes for stretches of the
work; a stretch is a task, and one whose node or worker dies is done again.
"""
