// Reloads the page if some of its scripts did not load, as over a bad network or from a busy server: without them the page does not
// work. Pauses double, up to half a minute. This is not a module, so that it runs before any module is requested.

{
  const FIRST_MS = 1000;
  const MOST_MS = 30_000;
  const KEY = "loaded in vain";

  document.addEventListener(
    "error",
    (event) => {
      if (!(event.target instanceof HTMLScriptElement)) return;
      const pause = Number(sessionStorage.getItem(KEY)) || FIRST_MS;
      sessionStorage.setItem(KEY, `${Math.min(2 * pause, MOST_MS)}`);
      setTimeout(() => location.reload(), pause);
    },
    true, // such events do not bubble
  );
  document.addEventListener(
    "load",
    (event) => {
      if (event.target instanceof HTMLScriptElement && event.target.type === "module") sessionStorage.removeItem(KEY);
    },
    true,
  );
}
