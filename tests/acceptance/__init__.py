"""The whole program measured from outside: scripts to be run by hand, each bounded, each printing what it measured.

python -m tests.acceptance.live_run           rate, first picture, requests
python -m tests.acceptance.kill9              requests outlive kill -9
python -m tests.acceptance.queue_faults       a hung dream, kill -9, a full disk: nothing lost or done unseen
python -m tests.acceptance.shutdown           Ctrl+C at any moment
python -m tests.acceptance.chat_flood         a thousand chat messages a second
python -m tests.acceptance.chat_lines         chat lines of any kind
python -m tests.acceptance.chat_reconnect     each way of losing Twitch
python -m tests.acceptance.chat_reply         how soon viewers are answered
python -m tests.acceptance.obs                OBS shows the stream, and comes back (tools/install_test_tools.sh --obs first)
python -m tests.acceptance.rtmp               a minute pushed to an RTMP server and read back
python -m tests.acceptance.faults             a server that dies, is silent, stalls, resets, refuses
python -m tests.acceptance.slow_viewer        one that reads 1 kB/s beside twenty
python -m tests.acceptance.http_flood         hostile callers of all kinds cost the video nothing
python -m tests.acceptance.api_fuzz           calls that schemathesis makes up are answered as documented
python -m tests.acceptance.soak               half an hour with all kinds of viewers: frames, time stamps, memory
python -m tests.acceptance.disks_and_weights  damaged weights, a taken port, a cache and disks that cannot be written
python -m tests.acceptance.recording          kill -9 while recording, and a full disk
python -m tests.acceptance.secrets            stream keys appear nowhere
python -m tests.acceptance.browser_latency    how far behind the page is
python -m tests.acceptance.clips              how soon a clip is there after !clip, and whether it is sound
python -m tests.acceptance.link               what an emulated network carries, against what is set (root)
python -m tests.acceptance.ray_nodes          a Ray cluster over such a network: how soon nodes are there, and known to be gone

Figures hold on a machine that has nothing else to do: those of time get worse with whatever runs beside.
"""
