"""Renders and atlases on the nodes of a Ray cluster.

All files are read and written here: a node gets what it needs and sends pixels back. It opens no files except weights. The
commands use counterparts of ``streamer.dream.sessions`` that request stretches of the work from nodes. A stretch is a task; if
its node or worker dies, it is repeated.
"""
