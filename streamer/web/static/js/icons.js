// Icons on buttons.

const SPACE = "http://www.w3.org/2000/svg";

const PATHS = {
  pause: "M7 5h3.500v14H7zM13.500 5H17v14h-3.500z",
  play: "M8 5v14l11-7z",
  full: "M5 5h6v2H7v4H5zm8 0h6v6h-2V7h-4zM5 13h2v4h4v2H5zm12 0h2v6h-6v-2h4z",
  cross: "M6.400 5 12 10.600 17.600 5 19 6.400 13.400 12 19 17.600 17.600 19 12 13.400 6.400 19 5 17.600 10.600 12 5 6.400z",
  top: "M5 4h14v2H5zm7 4 6 6-1.400 1.400-3.600-3.600V21h-2v-9.200l-3.600 3.600L6 14z",
  up: "m12 5 7 7-1.400 1.400L13 8.800V20h-2V8.800l-4.600 4.600L5 12z",
  down: "m12 19-7-7 1.400-1.400 4.600 4.600V4h2v11.200l4.600-4.600L19 12z",
  more: "M6 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4m6 0a2 2 0 1 1 0 4 2 2 0 0 1 0-4m6 0a2 2 0 1 1 0 4 2 2 0 0 1 0-4",
  grip: "M8.500 5h2.500v2.500H8.500zm4.500 0h2.500v2.500H13zM8.500 10.750h2.500v2.500H8.500zm4.500 0h2.500v2.500H13zM8.500 16.500h2.500V19H8.500zm4.500 0h2.500V19H13z",
  alike: "M4 4h7v7H4zm9 0h7v7h-7zm-9 9h7v7H4zm11.500-.500v3h-3v2h3v3h2v-3h3v-2h-3v-3z",
  vote: "m12 7 7 8.500H5z",
};

/** An icon, or several over each other: `pause.when-playing` is a path with that class. */
export function icon(...names) {
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const name of names) {
    const [drawing, style] = name.split(".");
    const path = document.createElementNS(SPACE, "path");
    path.setAttribute("d", PATHS[drawing]);
    if (style) path.setAttribute("class", style);
    svg.append(path);
  }
  return svg;
}
