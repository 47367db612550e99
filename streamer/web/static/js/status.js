// What is going on, as it happens: server-sent events that come back by themselves.

const SILENCE_MS = 8000; // the server speaks every second
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];

/** Calls `onStatus` with every status, and `onConnection` with true or false when the connection comes and goes. */
export function watch(onStatus, onConnection) {
  let source;
  let failures = 0;
  let timer;
  let watchdog;

  function lost() {
    clearTimeout(timer);
    clearTimeout(watchdog);
    source?.close();
    onConnection(false);
    timer = setTimeout(connect, BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)]);
  }

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(lost, SILENCE_MS);
  }

  function connect() {
    source = new EventSource("/api/events");
    source.addEventListener("status", (event) => {
      failures = 0;
      alive();
      onConnection(true);
      onStatus(JSON.parse(event.data));
    });
    source.onerror = lost;
    alive();
  }

  connect();
}
