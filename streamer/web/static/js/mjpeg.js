// MJPEG, for browsers that cannot play the video. Read by hand, because <img> does not report a dead connection.

const SILENCE_MS = 8000;
const HEAD = /--[\w-]+\r\nContent-Type: image\/jpeg\r\nContent-Length: (\d+)\r\n\r\n/;
const HEAD_BYTES = 200;

function join(a, b) {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Take all whole pictures off the front of the bytes; returns the newest, and what is left. */
export function newest(bytes) {
  let picture = null;
  while (true) {
    const head = HEAD.exec(new TextDecoder("latin1").decode(bytes.subarray(0, HEAD_BYTES)));
    if (!head) return { picture, rest: bytes };
    const start = head.index + head[0].length;
    const end = start + Number(head[1]);
    if (bytes.length < end) return { picture, rest: bytes };
    picture = bytes.subarray(start, end);
    bytes = bytes.subarray(end);
  }
}

async function show(image, jpeg) {
  const url = URL.createObjectURL(new Blob([jpeg], { type: "image/jpeg" }));
  const next = new Image();
  next.src = url;
  try {
    await next.decode(); // once decoded, the swap leaves no moment without a picture
  } catch {
    URL.revokeObjectURL(url);
    return false; // one bad picture is no reason to stop
  }
  const before = image.src;
  image.src = url;
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
  return true;
}

/** Shows /live.mjpg in an <img> until the connection breaks or `signal` aborts. `onPlaying` is called at every picture. */
export async function playMjpeg(image, signal, onPlaying) {
  const response = await fetch("/live.mjpg", { signal, cache: "no-store" });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const reader = response.body.getReader();
  let timer;
  let bytes = new Uint8Array(0);
  try {
    while (true) {
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) throw new Error("the connection ended");
      timer = setTimeout(() => reader.cancel(), SILENCE_MS);
      const { picture, rest } = newest(join(bytes, value));
      bytes = rest;
      if (picture && (await show(image, picture))) onPlaying();
    }
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}
