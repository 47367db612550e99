"""The whole program measured from outside: scripts to be run by hand, each bounded, each printing what it measured.

python -m tests.acceptance.live_run
python -m tests.acceptance.kill9
python -m tests.acceptance.shutdown
"""
