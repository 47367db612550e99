"""Scripts that measure the whole program from outside. Run them by hand: each ends by itself and prints its figures.

python -m tests.acceptance.live_run           rate, first picture, requests
python -m tests.acceptance.kill9              requests survive kill -9
python -m tests.acceptance.queue_faults       a hung dream, kill -9, a full disk: no request is lost or wrongly done
python -m tests.acceptance.shutdown           Ctrl+C at any moment
python -m tests.acceptance.chat_flood         a thousand chat messages a second
python -m tests.acceptance.chat_lines         the parser on random chat lines
python -m tests.acceptance.chat_reconnect     each way of losing Twitch
python -m tests.acceptance.chat_reply         how soon viewers get a reply
python -m tests.acceptance.obs                OBS shows the stream and reconnects (tools/install_test_tools.sh --obs first)
python -m tests.acceptance.rtmp               a minute pushed to an RTMP server and read back
python -m tests.acceptance.faults             an RTMP server that dies, stays silent, stalls, resets, refuses
python -m tests.acceptance.slow_viewer        a viewer that reads 1 kB/s beside twenty others
python -m tests.acceptance.http_flood         hostile callers do not disturb the video
python -m tests.acceptance.api_fuzz           random calls by schemathesis get documented answers
python -m tests.acceptance.soak               half an hour with all kinds of viewers: frames, time stamps, memory
python -m tests.acceptance.disks_and_weights  damaged weights, a taken port, a read-only cache, full disks
python -m tests.acceptance.recording          kill -9 while recording, and a full disk
python -m tests.acceptance.secrets            stream keys appear nowhere
python -m tests.acceptance.browser_latency    the page's delay
python -m tests.acceptance.clips              how soon a clip is ready after !clip, and whether it plays
python -m tests.acceptance.link               whether an emulated network behaves as set (root)
python -m tests.acceptance.ray_nodes          a Ray cluster over such a network: how soon nodes join, and are found dead

The limits hold on an idle machine. Other programs make the timings worse.
"""
