"""Where the video goes besides the page; one file each."""
