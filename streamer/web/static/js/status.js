// The status, by server-sent events, with automatic reconnection.

import { HIDDEN_MS } from "./dom.js";

const SILENCE_MS = 8000; // the server sends every second
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];

/**
 * Calls `onStatus` with every status, and `onConnection` with true or false when the connection comes and goes.
 * Disconnects while the page is hidden, unless `tireless`.
 */
export function watch(onStatus, onConnection, tireless = false) {
  let source;
  let failures = 0;
  let timer;
  let watchdog;
  let hiding;

  function close() {
    clearTimeout(timer);
    clearTimeout(watchdog);
    source?.close();
    source = null;
  }

  function lost() {
    close();
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

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden && !tireless) hiding = setTimeout(close, HIDDEN_MS);
    else if (!document.hidden && !source) {
      close();
      connect();
    }
  });
  connect();
}
