// Which network dreams, in words.

/** A sentence about it and how much it knows; empty while it loads. */
export function sentence({ name, classes, total }) {
  if (!classes) return "";
  const rest = classes < total ? `; larger networks know ${total - classes} more` : "";
  return `Dreamt by ${name || "a network"}, which knows ${classes} things${rest}.`;
}
